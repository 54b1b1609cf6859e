"""The head of a request as the relay accepts it: strictly RFC 9112, since what two parsers read differently is
a way to smuggle a second request past the gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass

from homeportd.errors import Problem
from homeportd.origin import EDITOR, NAMES

MAX_HEAD = 64 * 1024 + 8 * 1024  # bytes: what Caddy lets a visitor send, and what it adds itself
MAX_FIELDS = 256
FIX = "ask again"

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_VISIBLE = rb"[\x21-\x7e\x80-\xff]"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb"{1,32}) ([\x21-\x7e]+) HTTP/1\.1")
_FIELD = re.compile(
    rb"("
    + _TOKEN
    + rb"+):[ \t]*((?:"
    + _VISIBLE
    + rb"(?:[\t\x20-\x7e\x80-\xff]*"
    + _VISIBLE
    + rb")?)?)[ \t]*"
)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_OURS = b"x-homeport-"
_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer"))


class BadHead(Problem):
    """A head that the relay does not pass on; `status` is the answer to it."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(status, detail, FIX)


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head: what the gateway said of it, and `raw`, the bytes for the dev server with their empty line."""

    port: int
    right: str
    client: str  # the visitor's address; empty where Caddy does not say it, in the Caddyfile of an earlier release
    upgrade: bool
    length: int  # bytes of body that follow
    raw: bytes

    @property
    def of_visitor(self) -> bool:
        """Whether it lives by a share; the owner has a right of their own."""
        return self.right.startswith("share:")


def parse(block: bytes) -> Head:
    """The head in `block`, which ends before the empty line. Raises BadHead."""
    lines = block.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if not match:
        raise BadHead(400, "the request line is malformed")
    if len(lines) - 1 > MAX_FIELDS:
        raise BadHead(431, f"there are more than {MAX_FIELDS} headers")
    ours: dict[bytes, bytes] = {}
    fields: list[tuple[bytes, bytes, bytes]] = []
    for line in lines[1:]:
        # Bare CR and LF, folded lines and blanks before the colon all fail here.
        field = _FIELD.fullmatch(line)
        if not field:
            raise BadHead(400, "a header is malformed")
        name = field[1].lower()
        if not name.startswith(_OURS):
            fields.append((name, field[1], field[2]))
        elif name in ours:
            raise BadHead(400, "a header of Homeport is there twice")
        else:
            ours[name] = field[2]
    length = _length(fields)
    # Any other upgrade is an offer that a server may ignore (RFC 9110 §7.8), and we do.
    upgrade = match[1] == b"GET" and not length and any(name == b"upgrade" for name, _, _ in fields)
    dropped = _HOP_BY_HOP if upgrade else _HOP_BY_HOP | {b"upgrade"}
    kept = [match[0]]
    kept += [b"%b: %b" % (written, value) for name, written, value in fields if name not in dropped]
    # One connection is one request: the dev server is told to end it, unless it becomes something else.
    kept.append(b"Connection: Upgrade" if upgrade else b"Connection: close")
    return Head(
        port=_port(ours.get(b"x-homeport-port", b"")),
        right=ours.get(b"x-homeport-grant", b"").decode("latin-1"),
        client=ours.get(b"x-homeport-client", b"").decode("latin-1"),
        upgrade=upgrade,
        length=length,
        raw=b"\r\n".join(kept) + b"\r\n\r\n",
    )


def _length(fields: list[tuple[bytes, bytes, bytes]]) -> int:
    if any(name == b"transfer-encoding" for name, _, _ in fields):
        raise BadHead(411, "a body of unknown length is not relayed")
    lengths = [value for name, _, value in fields if name == b"content-length"]
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0])):
        raise BadHead(400, "the length of the body is not clear")
    hosts = sum(name == b"host" for name, _, _ in fields)
    if hosts != 1:
        raise BadHead(400, "there is not exactly one Host")
    return int(lengths[0]) if lengths else 0


def _port(text: bytes) -> int:
    if text == NAMES[EDITOR].encode():
        return EDITOR
    if not (text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise BadHead(400, "the port is missing")
    return int(text)


def is_doubtful(answer: bytes) -> bool | None:
    """Whether the first answer of a server may mean that it speaks no plain HTTP; None when more is needed.

    Some TLS servers answer a plain request with 400, as HTTP.
    """
    status = status_of(answer)
    return None if status is None else status in (0, 400)


def status_of(answer: bytes) -> int | None:
    """The final status of a dev server's answer so far, 0 for what is no HTTP, None when more is needed.

    Interim answers (100, 103) before it are passed over.
    """
    start = 0
    while True:
        line = answer[start : start + 13]
        if not b"HTTP/1.".startswith(line[:7]):
            return 0
        if len(line) < 13:
            return None
        if not line[9:12].isdigit() or line[8:9] != b" ":
            return 0
        status = int(line[9:12])
        if status == 101 or status >= 200:
            return status
        end = answer.find(b"\r\n\r\n", start)
        if end < 0:
            return None
        start = end + 4
