"""HTTP and name resolution for checks, each within a time-out."""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from homeportd.tunnels.address import LOOPBACK, is_local

TIMEOUT: Final = 3.0  # seconds for one check
MAX_BODY: Final = 64 * 1024  # bytes of an answer that are read


@dataclass(frozen=True)
class Answer:
    """An answer over HTTP. `location` is empty without a redirect."""

    status: int
    location: str
    body: bytes


def get(origin: str, path: str) -> Answer:
    """GET a path of an origin, at the address that a browser would use. Raises OSError, HTTPException."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    failed: OSError | None = None
    for target in LOOPBACK if is_local(host) else (host,):
        connection = kind(target, parts.port, timeout=TIMEOUT)
        try:
            connection.request("GET", path, headers={"Host": parts.netloc, "User-Agent": "homeport-doctor"})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers.get("Location", ""), answer.read(MAX_BODY))
        except OSError as error:
            failed = failed or error
        finally:
            connection.close()
    raise failed or OSError("no address")


def resolve(host: str) -> list[str]:
    """The addresses of a name; none after TIMEOUT, since the system's resolver has no time-out of its own."""
    result: list[str] = []

    def run() -> None:
        try:
            result.extend(sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)}))
        except (OSError, UnicodeError):
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(TIMEOUT)
    return list(result)


def reason(error: OSError) -> str:
    """The cause of a failed connection, in a few words."""
    return "time-out" if isinstance(error, TimeoutError) else error.strerror or str(error)


def find_listener(port: int) -> str:
    """How to see which program has a port, with a tool that this machine has."""
    if shutil.which("ss"):
        return f"see which program has it, as root: ss -ltnp 'sport = :{port}'"
    return f"find the program that has port {port}"
