"""The reader of Traefik's access log (JSON lines), for the requests of HTTP tunnels.

The position in the log is written together with the rows, so that a restart neither loses nor repeats one. What Traefik
writes has no queries, which may be secret; a log that has some (of an earlier release's Traefik, say) is emptied as
soon as all of it has been read.
https://doc.traefik.io/traefik/observability/access-logs/
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from homeportd import json_text
from homeportd.edge.registry import Registry
from homeportd.edge.traefik.routes import PREFIX
from homeportd.edge.traffic.connection_log import MAX_TEXT, ConnectionLog, LoggedConnection
from homeportd.tasks import TaskSet

POLL_S: Final = 0.5
CHUNK: Final = 4 * 1024 * 1024  # bytes read at once
FORBIDDEN: Final = 403
MAX_LINE: Final = 64 * 1024
TRUNCATE_AT: Final = 64 * 1024 * 1024  # bytes; a log as long is emptied once all of it has been read,
FULL_AT: Final = 2 * TRUNCATE_AT  # and at this size even if Traefik never pauses: lines may be lost

_log = logging.getLogger(__name__)


def read_line(line: bytes) -> LoggedConnection | None:
    """One line of the log; None for a line that is not JSON, or not about a tunnel."""
    try:
        entry = json_text.loads(line)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    router = _text(entry, "RouterName")
    if not router.startswith(PREFIX):
        return None
    id_ = router[len(PREFIX) :].partition("@")[0].partition("-")[0]
    path = _text(entry, "RequestPath").partition("?")[0][:MAX_TEXT]
    status = _number(entry, "DownstreamStatus")
    # A 403 without an answer of the server is the allowlist's.
    refused = status == FORBIDDEN and not _number(entry, "OriginStatus")
    return LoggedConnection(
        tunnel=id_,
        time=_moment((_text(entry, "StartUTC") or _text(entry, "time"))[:40]),
        event="refused" if refused else "request",
        address=_text(entry, "ClientHost")[:64],
        port=_number(entry, "ClientPort"),
        method=_text(entry, "RequestMethod")[:16],
        path=path,
        status=status,
        bytes_in=_number(entry, "RequestContentSize"),
        bytes_out=_number(entry, "DownstreamContentSize"),
        duration_ms=_number(entry, "Duration") // 1_000_000,
    )


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _number(entry: dict[str, Any], key: str) -> int:
    value = entry.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        value = int(value)
    return min(value, 2**62) if isinstance(value, int) and value > 0 else 0


def _moment(text: str) -> str:
    """A time of Go's RFC 3339 with nanoseconds in the form of `clock.to_text`: milliseconds and a Z."""
    whole, dot, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction[:3]:0<3}Z" if dot else f"{whole}.000Z"


class AccessLogReader:
    """Follows the log, and writes the requests of known tunnels to the connection log."""

    def __init__(
        self,
        path: Path,
        log: ConnectionLog,
        registry: Registry,
        on_request: Callable[[LoggedConnection], None],
    ) -> None:
        self._path = path
        self._log = log
        self._registry = registry
        self._on_request = on_request
        self._tasks = TaskSet()
        self._warned = ""
        self._may_have_queries = True  # what earlier agents have read, too

    def start(self) -> None:
        """Begin to follow."""
        self._tasks.spawn(self._run(), "traefik's access log")

    async def _run(self) -> None:
        inode, position = await self._log.position()
        while True:
            try:
                while True:
                    inode, position, more = await self._step(inode, position)
                    if not more:
                        break
            except (OSError, sqlite3.Error) as error:
                self._warn(error)
            await asyncio.sleep(POLL_S)

    def _warn(self, error: Exception) -> None:
        if str(error) != self._warned:
            self._warned = str(error)
            if not isinstance(error, FileNotFoundError):  # Traefik makes it with the first request
                _log.warning("the access log of Traefik cannot be followed: %s", error)

    async def _step(self, inode: int, position: int) -> tuple[int, int, bool]:
        """Read a chunk: (inode, position, whether there is more)."""
        data, found, position = await asyncio.to_thread(_read, self._path, inode, position)
        end = data.rfind(b"\n") + 1
        if not end:
            if len(data) < MAX_LINE:
                return found, position, False
            end = len(data)  # no line of the log is as long
        rows = [connection for line in data[:end].splitlines() if (connection := read_line(line))]
        known = [connection for connection in rows if self._registry.get(connection.tunnel)]
        position += end
        await self._log.add(known, found, position)
        for connection in known:
            tunnel = self._registry.get(connection.tunnel)
            if tunnel is not None:
                total = tunnel.stats.total
                total.requests += 1
                total.refused += connection.event == "refused"
            self._on_request(connection)
        more = len(data) == CHUNK
        self._may_have_queries = self._may_have_queries or b"?" in data
        if (position >= TRUNCATE_AT or self._may_have_queries) and not more:
            # Traefik writes meanwhile: what it has appended since the file was read must not be lost.
            most = None if position >= FULL_AT else position
            try:
                if await asyncio.to_thread(_empty, self._path, found, most):
                    position = 0
                    self._may_have_queries = False
                    await self._log.add([], found, 0)
            except (OSError, sqlite3.Error) as error:
                self._warn(error)  # and what was read stays read
        return found, position, more

    async def close(self) -> None:
        """Stop."""
        await self._tasks.close()


def _read(path: Path, inode: int, position: int) -> tuple[bytes, int, int]:
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        if status.st_ino != inode or status.st_size < position:
            position = 0  # another file, or emptied
        file.seek(position)
        return file.read(CHUNK), status.st_ino, position


def _empty(path: Path, inode: int, most: int | None) -> bool:
    """Empty a log that is no longer than `most` bytes; whether it was done."""
    with path.open("r+b") as file:
        status = os.fstat(file.fileno())
        if status.st_ino != inode or (most is not None and status.st_size > most):
            return False
        os.ftruncate(file.fileno(), 0)
        return True
