"""Requests and responses of one connection between the edge's Traefik and a local server: their heads, rewritten.

Host, X-Forwarded-Host, -Proto and -Port, Origin and Referer agree with one another: all name the local server, or all
its public origin. What was rewritten on the way in is mapped on the way back. Of origins, the visitor's own alone is
rewritten.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from homeportd.tunnels.http.names import LocalNames, Url
from homeportd.tunnels.http.scanner import CHUNKED, TO_THE_END, Scanner

MAX_PENDING: Final = 64  # requests without a response; Traefik sends one at a time
MAX_DIGITS: Final = 18  # of the length of a body

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_FIELDS: Final = rb"(?:" + _TOKEN + rb":[^\r\n\0]*\r\n)*\r\n"
_REQUEST: Final = re.compile(rb"(" + _TOKEN + rb") [\x21-\x7e\x80-\xff]+ HTTP/1\.([01])\r\n" + _FIELDS)
_RESPONSE: Final = re.compile(rb"HTTP/1\.([01]) ([0-9]{3})(?: [^\r\n\0]*)?\r\n" + _FIELDS)


def _fields(*names: str) -> re.Pattern[bytes]:
    """A pattern of some fields of a head, and of those that say how long its body is."""
    joined = b"|".join((*_FRAMING, *(name.encode() for name in names)))
    return re.compile(rb"\n(" + joined + rb"):([^\r\n]*)", re.IGNORECASE)


_FRAMING: Final = frozenset((b"content-length", b"transfer-encoding"))
_IN_REQUESTS: Final = _fields(
    "host", "origin", "referer", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port"
)
_IN_RESPONSES: Final = _fields(
    "location",
    "content-location",
    "sourcemap",
    "refresh",
    "link",
    "set-cookie",
    "access-control-allow-origin",
)
_DOMAIN: Final = re.compile(r";[ \t]*domain[ \t]*=([^;]*)", re.IGNORECASE)
_LINK: Final = re.compile(r"<([^<>]*)>")
_REFRESH: Final = re.compile(
    r"([0-9. \t]*[;,]?[ \t]*(?:url[ \t]*=[ \t]*)?[\"']?)([^\"' \t]*)(.*)", re.IGNORECASE
)
_NO_BODY: Final = frozenset((b"204", b"304"))


_Field = tuple[bytes, bytes, int, int]  # of a head: its name in lower case, its value, and where that stands


class TooManyRequests(Exception):
    """More requests than may wait for a response on one connection."""


class _Request(NamedTuple):
    """What its response is read by; `host` as the visitor sent it."""

    method: bytes
    host: bytes
    names: LocalNames


class Exchange:
    """The messages of one connection. `request` and `response` take bytes in pieces, and return those to pass on.

    `scheme`: of the tunnel's public address, as visitors use it.
    """

    def __init__(self, names: LocalNames, scheme: str) -> None:
        self._names = names
        self._scheme = scheme
        self._pending: deque[_Request] = deque()
        self._public: Url | None = None  # the origin of the last request
        self._last = _Request(b"", b"", names)
        self._fixed = self._fixed_fields(names)  # fields that are the same in each request to one host
        self._requests = Scanner(self._read_request)
        self._responses = Scanner(self._read_response, b"HTTP/1.")
        self.request: Callable[[bytes], bytes] = self._requests.feed
        self.response: Callable[[bytes], bytes] = self._responses.feed
        self.request_end: Callable[[], bytes] = self._requests.flush
        self.response_end: Callable[[], bytes] = self._responses.flush

    # Requests

    def _read_request(self, head: bytes) -> tuple[bytes, int] | None:
        start = _REQUEST.fullmatch(head)
        if start is None:
            return None
        if len(self._pending) >= MAX_PENDING:
            raise TooManyRequests
        fields = _read(_IN_REQUESTS, head)
        length = _body_length(fields, start[2])
        if length is None or length == TO_THE_END:
            return None
        host = next((value for name, value, *_ in fields if name == b"host"), b"")
        names = self._last.names
        if host != self._last.host:
            self._public = Url.parse(f"{self._scheme}://{host.decode('latin-1')}")
            names = self._names if self._public is None else self._names.at(self._public.host)
            self._fixed = self._fixed_fields(names)
        self._last = _Request(start[1], host, names)
        self._pending.append(self._last)
        return _replaced(head, fields, self._request_field), length

    def _fixed_fields(self, names: LocalNames) -> dict[bytes, bytes]:
        local, netloc = names.origin, (names.netloc or "").encode()
        if local is None:
            return {b"x-forwarded-proto": self._scheme.encode()}  # Traefik says ws or wss of a WebSocket
        return {
            b"host": netloc,
            b"x-forwarded-host": netloc,
            b"x-forwarded-proto": local.scheme.encode(),
            b"x-forwarded-port": b"%d" % (local.port or 0),
        }

    def _request_field(self, name: bytes, value: bytes) -> bytes:
        fixed = self._fixed.get(name)
        if fixed is not None:
            return fixed
        names, public = self._last.names, self._public
        if public is None or names.origin is None or name not in (b"origin", b"referer"):
            return value
        url = Url.parse(value.decode("latin-1"))
        if url is None:
            return value
        own = f"{names.scheme}://{names.netloc}" if url.is_at(public) else names.local_origin(url)
        # A foreign one is for the server's own checks to refuse.
        return value if own is None else f"{own}{url.rest}".encode("latin-1")

    # Responses

    def _read_response(self, head: bytes) -> tuple[bytes, int] | None:
        start = _RESPONSE.fullmatch(head)
        if start is None:
            return None
        status = start[2]
        interim = status.startswith(b"1")
        request = self._pending[0] if self._pending else _Request(b"GET", b"", self._names)
        if self._pending and not interim:
            self._pending.popleft()
        fields = _read(_IN_RESPONSES, head)
        mapped = _replaced(
            head, fields, lambda name, value: self._response_field(name, value.decode("latin-1"), request)
        )
        if status == b"101" or (request.method == b"CONNECT" and status.startswith(b"2")):
            self._requests.pass_all()
            return mapped, TO_THE_END
        if interim or status in _NO_BODY or request.method == b"HEAD":
            return mapped, 0
        length = _body_length(fields, start[1])
        if length is None:
            return None
        if length == 0 and all(field[0] != b"content-length" for field in fields):
            length = TO_THE_END
        return mapped, length

    def _response_field(self, name: bytes, text: str, request: _Request) -> bytes:
        names = request.names
        if name == b"set-cookie":
            text = _DOMAIN.sub(lambda each: _cookie_domain(names, each), text)
        elif name == b"access-control-allow-origin":
            url = Url.parse(text)
            if url is not None and request.host:
                origin = f"{self._scheme}://{request.host.decode('latin-1')}"
                text = names.public_origin(url, origin) or text
        elif name == b"link":
            text = _LINK.sub(lambda each: f"<{names.relative(each[1])}>", text)
        elif name == b"refresh":
            match = _REFRESH.fullmatch(text)
            if match is not None:
                text = match[1] + names.relative(match[2]) + match[3]
        else:
            text = names.relative(text)
        return text.encode("latin-1")


def _cookie_domain(names: LocalNames, attribute: re.Match[str]) -> str:
    domain = names.cookie_domain(attribute[1])
    if domain == attribute[1]:
        return attribute[0]
    return "" if domain is None else f"; Domain={domain}"


def _read(pattern: re.Pattern[bytes], head: bytes) -> list[_Field]:
    fields = []
    for match in pattern.finditer(head):
        name, value = match.groups()
        fields.append((name.lower(), value.strip(b" \t"), *match.span(2)))
    return fields


def _body_length(fields: list[_Field], minor: bytes) -> int | None:
    """The length of the body that a head's fields announce (RFC 9112 §6.3), 0 without any; None if they contradict.

    Transfer-Encoding wins over Content-Length.
    """
    framing = [(field[0], field[1]) for field in fields if field[0] in _FRAMING]
    if not framing:
        return 0
    codings = [value.lower() for name, value in framing if name == b"transfer-encoding"]
    if codings:
        return CHUNKED if codings == [b"chunked"] and minor == b"1" else TO_THE_END
    lengths = {value for _, value in framing}
    text = lengths.pop()
    return int(text) if not lengths and text.isdigit() and len(text) <= MAX_DIGITS else None


def _replaced(head: bytes, fields: list[_Field], value_of: Callable[[bytes, bytes], bytes]) -> bytes:
    """The head with other values in some of its fields."""
    out: list[bytes] = []
    at = 0
    for name, before, start, end in fields:
        if name in _FRAMING:
            continue
        value = value_of(name, before)
        if value != before:
            out += (head[at:start], b" ", value)
            at = end
    if not out:
        return head
    out.append(head[at:])
    return b"".join(out)
