"""A server on a unix socket that answers what it is told, for what the real agent cannot be made to do:
breaking its word, falling silent, ports of any name and state.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    answers: dict[str, tuple[int, bytes]]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = self.server.answers.get(self.path, (404, b'{"detail":"no such thing","fix":"none"}'))
        if status == 0:
            self.close_connection = True
            self.wfile.write(body)
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@contextmanager
def canned(folder: Path, answers: dict[str, object]) -> Iterator[Path]:
    """Serve GET answers (path to JSON value, or to (status, raw bytes); status 0: the bytes are the whole
    answer); returns the settings file that leads there."""
    config = folder / "agent.toml"
    config.write_text(f'socket_dir = "{folder}"\n')
    with _Server(str(folder / "cli.sock"), _Handler) as server:
        server.answers = {
            path: answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())
            for path, answer in answers.items()
        }
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield config
        finally:
            server.shutdown()
            thread.join()


def share(port: int, **changes: Any) -> dict[str, Any]:
    """A share as the API shows it; by default there is none."""
    return {
        "port": port,
        "url": f"http://{port}.localhost:8080",
        "mode": "private",
        "expires_at": None,
        "expired": False,
        "allow": [],
        "max_uses": None,
        "uses": 0,
        "host_header": "localhost",
        "subdomains": False,
        "generation": 0,
        "updated_at": None,
        "bound_to": None,
        "paused": None,
    } | changes


def port(number: int, shared: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A port as the API shows it; by default an owned, private one."""
    made = {
        "port": number,
        "listening": True,
        "addresses": ["127.0.0.1"],
        "pid": 4711,
        "started_at": "2026-11-20T10:00:00.000Z",
        "user": "ada",
        "foreign": False,
        "command": "/usr/bin/python3 -m http.server",
        "title": "python",
        "container": None,
        "cwd": "/srv/homeport/repos/manifold",
        "repo": None,
        "subdir": None,
        "url": f"http://{number}.localhost:8080",
        "first_seen": "2026-11-20T10:00:00.000Z",
        "share": shared or share(number),
        "caution": None,
        "outside": None,
    } | changes
    names = ("addresses", "pid", "started_at", "user", "foreign", "command", "title", "container", "cwd")
    shown = {name: made[name] for name in (*names, "repo", "subdir")}
    return {"programs": [shown | {"dialled": True}] if made["listening"] else [], **made}


def repo(name: str, ports: list[int], **changes: Any) -> dict[str, Any]:
    """A repo as the API shows it."""
    return {
        "id": name,
        "name": name,
        "path": f"/srv/homeport/repos/{name}",
        "branch": "main",
        "dirty": False,
        "remote": None,
        "owner": "ada",
        "foreign": False,
        "handover": None,
        "ports": ports,
    } | changes


def access(number: int, **changes: Any) -> dict[str, Any]:
    """A log row as the API shows it."""
    return {
        "id": number,
        "time": "2026-11-20T10:00:00.000Z",
        "address": "203.0.113.7",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "method": "GET",
        "path": "/",
        "decision": "public",
    } | changes
