"""The request that Caddy asks about, read from the headers of its question."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from homeportd.errors import Problem
from homeportd.networks import Address
from homeportd.origin import EDITOR, NAMES

MAX_HEADERS = 64 * 1024  # bytes of all names and values but cookies, of which Caddy lets a megabyte through
MAX_URI = 2048  # characters of an address that we send a visitor back to
RELAYED_BODY = 1024 * 1024  # bytes; a larger upload is never sent by the relay
MAX_AUTHORIZATION = 4096

_NEXT = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")
_NO_ADDRESS = "the visitor's address is missing"


class BadRequest(Problem):
    """A request that cannot be decided upon; `status` is for the visitor."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(
            status, detail, "send an ordinary request to the address that Homeport shows for the port"
        )


@dataclass(slots=True)
class AuthRequest:
    """One request for a port. Texts are latin-1, empty where the header was missing.

    `kind`, as Caddy names it: `port`, for the port's own origin; `api`, below /api/proxy of the dashboard's;
    `visitor`, for a page of Homeport's below /.homeport/; `silent`, that the dev server has not answered.
    `port` is `EDITOR` for the editor's origin.
    `label`: what stands before the port's own name, as in `foo.4210.localhost`; mostly nothing.
    `by_tunnel`: a tunnel brought it, so that the browser knows the port by a name of an edge.
    """

    kind: str
    port: int
    address: Address
    client: str  # `address` as text
    method: str
    uri: str
    cookie: bytes
    authorization: str
    origin: str
    accept: str
    user_agent: str
    fetch_mode: str
    fetch_site: str
    upgrade: str
    length: str
    content_type: str
    by_tunnel: bool
    label: str
    fields: dict[bytes, bytes]  # all headers, for what few requests need

    @property
    def host(self) -> str:
        """Host as the visitor asked for it, in lower case."""
        return self.fields.get(b"host", b"").decode("latin-1").lower()

    @property
    def referer(self) -> str:
        """Referer."""
        return self.fields.get(b"referer", b"").decode("latin-1")

    @property
    def requested_method(self) -> str:
        """Method that a CORS preflight asks for."""
        return self.fields.get(b"access-control-request-method", b"").decode("latin-1")

    @property
    def requested_headers(self) -> str:
        """Names of headers that a CORS preflight asks for."""
        return self.fields.get(b"access-control-request-headers", b"").decode("latin-1")

    @property
    def from_browser(self) -> bool:
        """Whether a browser may have sent the request: its own password dialog must never cover a page."""
        return bool(self.fetch_mode) or self.user_agent.startswith("Mozilla/")

    @property
    def wants_page(self) -> bool:
        """Whether a person will look at the answer."""
        return (
            self.method in ("GET", "HEAD")
            and "text/html" in self.accept
            and not self.upgrade
            and self.fetch_mode in ("", "navigate")
            and self.kind != "api"
        )

    @property
    def bearer(self) -> str:
        """The bearer credential, empty when there is none."""
        scheme, _, value = self.authorization.partition(" ")
        return value.strip() if scheme.lower() == "bearer" else ""

    @property
    def basic_password(self) -> str | None:
        """The password of HTTP Basic, whatever the user name; None when there is none or it is garbled."""
        scheme, _, value = self.authorization.partition(" ")
        if scheme.lower() != "basic" or len(value) > MAX_AUTHORIZATION:
            return None
        try:
            raw = b64decode(value.strip(), validate=True)
        except ValueError:
            return None
        _, colon, password = raw.partition(b":")
        if not colon:
            return None
        try:
            return password.decode()
        except UnicodeDecodeError:
            return password.decode("latin-1")


def parse_request(headers: Iterable[tuple[bytes, bytes]]) -> AuthRequest:
    """The request that these headers, with lower-case names, describe. Raises BadRequest."""
    fields: dict[bytes, bytes] = {}
    size = 0
    for name, value in headers:
        if name == b"cookie":
            if name in fields:
                value = fields[name] + b"; " + value  # noqa: PLW2901
            fields[name] = value
            continue
        size += len(name) + len(value)
        if name in fields and name in (b"authorization", b"origin"):
            raise BadRequest(400, f"the header {name.decode()} is there twice")
        fields[name] = value
    if size > MAX_HEADERS:
        raise BadRequest(431, "the headers of the request are too large")

    def text(name: bytes) -> str:
        return fields.get(name, b"").decode("latin-1")

    authorization = text(b"authorization")
    client = text(b"x-homeport-client")
    number = text(b"x-homeport-port")
    if number == NAMES[EDITOR]:
        port = EDITOR
    elif number.isascii() and number.isdigit() and len(number) <= 5 and 1 <= int(number) <= 65535:
        port = int(number)
    else:
        raise BadRequest(400, "the port is missing")
    return AuthRequest(
        # The older name is in the Caddyfile of the release before, until the run has written its own.
        kind=text(b"x-homeport-kind") or text(b"x-homeport-door"),
        port=port,
        address=_address(client),
        client=client,
        method=text(b"x-forwarded-method") or "GET",
        uri=text(b"x-forwarded-uri") or "/",
        cookie=fields.get(b"cookie", b""),
        authorization=authorization,
        origin=text(b"origin"),
        accept=text(b"accept").lower(),
        user_agent=text(b"user-agent"),
        fetch_mode=text(b"sec-fetch-mode"),
        fetch_site=text(b"sec-fetch-site"),
        upgrade=text(b"x-homeport-upgrade"),
        length=text(b"x-homeport-length"),
        content_type=text(b"content-type").lower(),
        by_tunnel=text(b"x-homeport-listener") == "tunnel",
        label=text(b"x-homeport-label").removesuffix(".").lower(),
        fields=fields,
    )


@lru_cache(maxsize=4096)
def _address(text: str) -> Address:
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        raise BadRequest(500, _NO_ADDRESS) from None


def safe_next(text: str) -> str:
    """The path to send a visitor back to: `text` where it is a path of this very origin, else `/`."""
    if len(text) > MAX_URI or not _NEXT.fullmatch(text) or text.startswith("/.homeport/"):
        return "/"
    return text


def may_be_endless(request: AuthRequest) -> bool:
    """Whether the answer may have no end, so that it must pass where it can be ended when the share does.

    Upgrades, and whatever asks for an event stream. A small request with a body may be answered by one
    unasked (chat interfaces do so); it cannot be repeated as a GET can, so that it takes the relay from the start.
    """
    if request.method == "GET":
        return bool(request.upgrade) or "text/event-stream" in request.accept
    if request.method in ("HEAD", "OPTIONS") or not is_small(request):
        return False
    return "text/event-stream" in request.accept or (
        request.fetch_mode != "navigate" and request.accept in ("", "*/*")
    )


def is_small(request: AuthRequest) -> bool:
    """Whether a body is of a known length that the relay takes."""
    return (
        request.length.isascii()
        and request.length.isdigit()
        and len(request.length) <= 7
        and int(request.length) <= RELAYED_BODY
    )


def is_grpc(request: AuthRequest) -> bool:
    """Whether a request is a call of gRPC, which HTTP/2 alone carries."""
    return request.content_type.startswith("application/grpc") and "grpc-web" not in request.content_type
