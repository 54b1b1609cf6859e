"""Repos with dev servers that are started through the API of a whole agent."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import httpx
import pytest

from homeportd.processes.folder import MARK, folders
from homeportd.processes.model import ProcessState
from homeportd.processes.orphans import end_orphans, send_to
from homeportd.repos import service as repos_service

from ..freeports import free_ports

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *arguments):
        pass
port = int(os.environ["PORT"]) if len(sys.argv) < 2 else int(sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
print("serving on", port, flush=True)
server.serve_forever()
"""
NUMBERS = 30  # of ports for the servers of a test
RUN = f"{sys.executable} -u -I -S serve.py"


@pytest.fixture(autouse=True)
def repos_are_found_soon(monkeypatch):
    """New repos are looked for more often than every ten seconds."""
    monkeypatch.setattr(repos_service, "PERIOD", 0.5)


@pytest.fixture
def settings(settings):
    """Settings with numbers for servers that no other process of tests has: it would start servers on the same ones."""
    ports = free_ports(NUMBERS)
    return settings.model_copy(update={"port_ranges": (f"{ports[0]}-{ports[-1]}",)})


@pytest.fixture
def make_repo(settings):
    """Make a repo of these files: `make_repo("shop", {"serve.py": …}) -> path`."""

    def make_repo(name="shop", files=None):
        path = settings.repo_root / name
        path.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", "-b", "main", str(path)], check=True)
        for file, text in ({"serve.py": SERVER, "Procfile": f"web: {RUN}\n"} | (files or {})).items():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(text)
        return path

    yield make_repo
    for folder in folders(settings.data_dir / "processes"):
        process = folder.process()
        if process is not None and process.state is not ProcessState.EXITED:
            send_to(process.runner, 9)
            end_orphans(MARK, folder.mark(process.run))


class Api:
    """The routes of servers, as a client has them."""

    def __init__(self, peer, root):
        self.peer = peer
        self.root = root

    async def repo(self, name="shop"):
        """Wait until the agent knows a repo; another test's may have its name before."""
        async with asyncio.timeout(60):
            while True:
                for each in (await self.peer.get("/api/repos")).json():
                    if each["id"] == name and each["path"] == str(self.root / name):
                        return
                await asyncio.sleep(0.05)

    async def post(self, what, body=None, repo="shop", status=None):
        """POST to a repo; the answer's JSON."""
        answer = await self.peer.post(f"/api/repos/{repo}/{what}", json=body or {})
        assert answer.status_code in ((status,) if status else (200, 202)), answer.text
        return answer.json()

    async def start(self, server=None, repo="shop", **body):
        """Start a server."""
        return (await self.post("start", {"server": server, **body}, repo))["server"]

    async def get(self, server):
        """One server."""
        return (await self.peer.get(f"/api/servers/{server['id']}")).json()

    async def until(self, server, wanted):
        """The server as soon as `wanted` holds of it: a function, or a state."""
        async with asyncio.timeout(60):
            while True:
                found = await self.get(server)
                if found["state"] == wanted if isinstance(wanted, str) else wanted(found):
                    return found
                await asyncio.sleep(0.05)


@pytest.fixture
async def api(peer, settings):
    """The routes of servers of the running agent."""
    return Api(peer, settings.repo_root)


async def ask(port):
    """What a server answers."""
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://127.0.0.1:{port}/")).text


@pytest.fixture(name="ask")
def ask_fixture():
    """Ask a server: `await ask(port)`."""
    return ask
