"""Advice on `--host-header`: a bounded look at a dev server's page, asked for by the owner.

A page that is full of `http://localhost:5173` leads visitors to their own machine. Where the same page, asked for by
its public name, has that name instead, `keep` helps; where it refuses, or has the addresses written down, it does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from homeportd.gateway.origin_mapping import server_origin
from homeportd.shares.model import KEEP, LOCALHOST

LOOK_S: Final = 3.0  # for one page, redirects included
MAX_PAGE: Final = 256 * 1024  # bytes that are looked at
MAX_HEAD: Final = 64 * 1024
MAX_REDIRECTS: Final = 2
FULL: Final = 3  # addresses in a page, from which on it is full of them

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")
_LOCATION = re.compile(rb"\r\nlocation:[ \t]*([^\r\n]{1,2048})", re.IGNORECASE)
_TYPE = re.compile(rb"\r\ncontent-type:[ \t]*(text/html|application/xhtml)", re.IGNORECASE)


@dataclass(frozen=True)
class HostAdvice:
    """The advice. `local_urls`: addresses of localhost in the page; None when there was no page to look at."""

    local_urls: int | None
    suggestion: Literal["keep"] | None


async def look(upstream: str, port: int, public: str) -> HostAdvice:
    """Look at the page of a dev server at `upstream` (host:port), whose public origin is `public`."""
    local = server_origin(LOCALHOST, public, port)
    page = await _page(upstream, local)
    if page is None:
        return HostAdvice(None, None)
    found = _count(page, port)
    if found < FULL:
        return HostAdvice(found, None)
    kept = await _page(upstream, server_origin(KEEP, public, port))
    helps = kept is not None and _count(kept, port) < found and _authority(public).encode() in kept
    return HostAdvice(found, "keep" if helps else None)


def _authority(origin: str) -> str:
    return urlsplit(origin).netloc


def _count(page: bytes, port: int) -> int:
    # Also as JSON in a page writes it: http:\/\/localhost:5173
    own = rb"https?:(?:\\?/){2}(?:localhost|127\.0\.0\.1|\[::1\]):%d(?![0-9])" % port
    return len(re.findall(own, page, re.IGNORECASE))


async def _page(upstream: str, origin: str) -> bytes | None:
    """The start of the page at `/`, as a server of this origin gives it; None where it gives none."""
    try:
        async with asyncio.timeout(LOOK_S):
            path = "/"
            for _ in range(MAX_REDIRECTS + 1):
                head, body = await _ask(upstream, origin, path)
                status = _STATUS.match(head)
                if status is None:
                    return None
                location = _LOCATION.search(head)
                if status[1][:1] != b"3" or location is None:
                    return body if status[1] == b"200" and _TYPE.search(head) else None
                target = location[1].decode("latin-1").strip()
                path = re.sub(rf"^https?://{re.escape(_authority(origin))}(?=/)", "", target)
                if not re.fullmatch(r"/[\x21-\x7e]*", path):
                    return None
    except (OSError, TimeoutError, ValueError):
        pass
    return None


async def _ask(upstream: str, origin: str, path: str) -> tuple[bytes, bytes]:
    host, _, number = upstream.rpartition(":")
    reader, writer = await asyncio.open_connection(host.strip("[]"), int(number), limit=MAX_HEAD)
    try:
        scheme, authority = origin.split("://")
        lines = (
            f"GET {path} HTTP/1.1", f"Host: {authority}", f"X-Forwarded-Host: {authority}",
            f"X-Forwarded-Proto: {scheme}", "Accept: text/html", "User-Agent: Mozilla/5.0 (Homeport)",
            "Accept-Encoding: identity", "Connection: close",
        )  # fmt: skip
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head = await reader.readuntil(b"\r\n\r\n")
        body = b""
        while len(body) < MAX_PAGE and (piece := await reader.read(MAX_PAGE - len(body))):
            body += piece
        return head, body
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise ValueError("no answer in HTTP") from error
    finally:
        writer.transport.abort()  # more may come than anybody looks at
        with contextlib.suppress(OSError):
            await writer.wait_closed()
