"""A share leads to the server that it was made for, and to no other that gets its number: real users, repos, Caddy."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import subprocess
import sys

import pytest

from homeportd.ports import service as ports_service

SERVER = """
import http.server, socket, sys
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(name)))
        self.end_headers()
        self.wfile.write(name.encode())
    def log_message(self, *arguments):
        pass
server = Server((address, port), Handler)
print("ready", flush=True)
server.serve_forever()
"""
PERSON = pwd.getpwnam("games").pw_uid  # another user of the machine
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="servers of other users need root")


@pytest.fixture
def start():
    """Start a server: `start("shop", port, cwd)`; it ends with the test."""
    running = []

    def start(name, port, cwd, *, address="127.0.0.1", user=None):
        command = [sys.executable, "-c", SERVER, name, address, str(port)]
        if user is not None:
            command[0] = "/usr/bin/python3"  # which any user may run
        made = subprocess.Popen(command, cwd=cwd, user=user, stdout=subprocess.PIPE)
        running.append(made)
        assert made.stdout.readline() == b"ready\n"
        return made

    yield start
    for each in running:
        end(each)


def end(server):
    """End a server and wait until it has."""
    server.kill()
    server.wait()
    if not server.stdout.closed:
        server.stdout.close()


@pytest.fixture
def repo(tmp_path):
    """Make a repo below the test's repo root: `repo("shop") -> path`."""

    def repo(name):
        path = tmp_path / "repos" / name
        (path / "web").mkdir(parents=True)
        subprocess.run(["git", "init", "-q", str(path)], check=True)
        return path

    return repo


@pytest.fixture
def alone(make_gateway, tmp_path):
    """A gateway without a dev server of its own."""
    return lambda: make_gateway(tmp_path)


async def seen(gateway, port, wanted):
    """The port as the API has it, as soon as `wanted` holds of it."""
    async with asyncio.timeout(30):
        while True:
            answer = await gateway.owner.get(f"/api/ports/{port}")
            if answer.status_code == 200 and wanted(answer.json()):
                return answer.json()
            await asyncio.sleep(0.05)


async def shared(gateway, port, name):
    """Share a port once it is known to be in a repo of that name (None: in none)."""
    await seen(gateway, port, lambda found: found["listening"] and found["repo"] == name)
    return await gateway.share(port, "public", expires="7d")


async def reached(gateway, port):
    """The name of the server that a visitor reaches, else the status."""
    answer = await gateway.get(port)
    return answer.text if answer.status_code == 200 else answer.status_code


async def test_a_server_of_another_repo_pauses_the_share_until_the_right_one_returns(
    alone, start, repo, vacant
):
    shop, blog = repo("shop"), repo("blog")
    first = start("shop", vacant, shop)
    async with alone() as gateway:
        made = await shared(gateway, vacant, "shop")
        assert made["bound_to"]["repo"] == str(shop)
        assert await reached(gateway, vacant) == "shop"
        end(first)
        other = start("blog", vacant, blog)
        # Before any scan, within the second that a view may be old.
        assert await reached(gateway, vacant) == 503
        found = await seen(gateway, vacant, lambda found: found["share"]["paused"])
        assert (found["title"] is not None, found["repo"]) == (True, "blog")
        assert str(blog) in found["share"]["paused"]
        page = await gateway.get(vacant, headers={"Accept": "text/html"})
        assert (page.status_code, "paused" in page.text) == (503, True)
        assert (await gateway.log_of(vacant))[0]["decision"] == "denied:paused"
        end(other)
        start("shop again", vacant, shop / "web")  # another folder of the same repo
        await seen(gateway, vacant, lambda found: found["listening"] and not found["share"]["paused"])
        assert await reached(gateway, vacant) == "shop again"


async def test_the_owner_lets_a_paused_share_go_on(alone, start, repo, vacant):
    shop, blog = repo("shop"), repo("blog")
    first = start("shop", vacant, shop)
    async with alone() as gateway:
        generation = (await shared(gateway, vacant, "shop"))["generation"]
        end(first)
        start("blog", vacant, blog)
        await seen(gateway, vacant, lambda found: found["share"]["paused"])
        resumed = await gateway.owner.post(f"/api/ports/{vacant}/share/resume")
        assert resumed.status_code == 200
        assert (resumed.json()["paused"], resumed.json()["bound_to"]["repo"]) == (None, str(blog))
        assert resumed.json()["generation"] == generation
        assert await reached(gateway, vacant) == "blog"


async def test_a_changed_share_stays_with_its_server(alone, start, repo, vacant):
    first = start("shop", vacant, repo("shop"))
    async with alone() as gateway:
        await shared(gateway, vacant, "shop")
        end(first)
        start("blog", vacant, repo("blog"))
        await seen(gateway, vacant, lambda found: found["share"]["paused"])
        assert (await gateway.share(vacant, "public", expires="1h"))["paused"]
        assert await reached(gateway, vacant) == 503
        await gateway.unshare(vacant)
        assert not (await gateway.share(vacant))["paused"], "a new share is for what is there"
        assert await reached(gateway, vacant) == "blog"


@needs_root
async def test_two_users_on_one_number_are_told_apart(alone, start, vacant, tmp_path):
    start("own", vacant, tmp_path, address="::1")
    async with alone() as gateway:
        await shared(gateway, vacant, None)
        start("theirs", vacant, "/", user=PERSON)
        found = await seen(
            gateway, vacant, lambda found: any(each["user"] == "games" for each in found["programs"])
        )
        users = {each["user"]: each["dialled"] for each in found["programs"]}
        assert users == {"games": False, "root": True}
        assert await reached(gateway, vacant) == "own"
        cookie = await gateway.owner_cookie(vacant)
        assert (await gateway.get(vacant, headers={"Cookie": cookie})).text == "own"


@needs_root
async def test_another_user_who_takes_the_number_gets_no_visitor(alone, start, repo, vacant):
    shop = repo("shop")
    first = start("shop", vacant, shop)
    async with alone() as gateway:
        await shared(gateway, vacant, "shop")
        end(first)
        start("theirs", vacant, shop, user=PERSON)  # in the very repo, which they may read
        for _ in range(3):
            assert await reached(gateway, vacant) in (502, 503)
        found = await seen(gateway, vacant, lambda found: found["share"]["paused"])
        assert (found["user"], found["foreign"]) == ("games", True)


async def test_another_worktree_of_the_same_repo_is_the_same_server(alone, start, repo, vacant, tmp_path):
    shop = repo("shop")
    git = ["git", "-C", str(shop), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "begin"], check=True)
    other = tmp_path / "repos" / "shop-fix"
    subprocess.run([*git, "worktree", "add", "-q", str(other)], check=True)
    first = start("trunk", vacant, shop)
    async with alone() as gateway:
        await shared(gateway, vacant, "shop")
        end(first)
        start("fix", vacant, other)
        async with asyncio.timeout(30):
            while await reached(gateway, vacant) != "fix":  # noqa: ASYNC110 - seen from outside alone
                await asyncio.sleep(0.05)
        found = await seen(gateway, vacant, lambda found: found["repo"] == "shop-fix")
        assert found["share"]["paused"] is None


async def test_a_restart_is_served_before_the_next_scan(alone, start, repo, vacant, monkeypatch):
    monkeypatch.setattr(ports_service, "PERIOD", 60.0)
    shop = repo("shop")
    first = start("shop", vacant, shop)
    async with alone() as gateway:
        await shared(gateway, vacant, "shop")
        end(first)
        start("shop again", vacant, shop)
        assert await reached(gateway, vacant) == "shop again"


async def test_a_share_before_its_server_is_for_the_first_of_the_owner(alone, start, repo, vacant):
    async with alone() as gateway:
        assert (await gateway.share(vacant))["bound_to"] is None
        first = start("shop", vacant, repo("shop"))
        await seen(gateway, vacant, lambda found: found["share"]["bound_to"])
        assert await reached(gateway, vacant) == "shop"
        end(first)
        start("blog", vacant, repo("blog"))
        await seen(gateway, vacant, lambda found: found["share"]["paused"])
        assert await reached(gateway, vacant) == 503


@needs_root
async def test_a_share_before_its_server_is_not_for_another_user(alone, start, vacant):
    async with alone() as gateway:
        await gateway.share(vacant)
        start("theirs", vacant, "/", user=PERSON)
        await seen(gateway, vacant, lambda found: found["share"]["paused"])
        assert await reached(gateway, vacant) == 503


async def test_a_websocket_ends_when_something_else_has_the_number(gateway, dev, tmp_path, start, repo):
    await gateway.listening(dev.port)
    await gateway.share(dev.port)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    head = f"GET /echo-raw HTTP/1.1\r\nHost: {gateway.host(dev.port)}\r\n"
    writer.write(f"{head}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    assert b"101" in await reader.readline()
    dev._server.close()  # its listener alone
    start("blog", dev.port, repo("blog"))
    await seen(gateway, dev.port, lambda found: found["share"]["paused"])
    async with asyncio.timeout(5):
        await reader.read()
    writer.close()


async def test_pauses_are_events(alone, start, repo, vacant):
    first = start("shop", vacant, repo("shop"))
    async with alone() as gateway:
        await shared(gateway, vacant, "shop")
        token = await gateway.token()
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
        lines = [
            "GET /api/events HTTP/1.1",
            f"Host: {gateway.host()}",
            f"Authorization: Bearer {token}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        end(first)
        other = start("blog", vacant, repo("blog"))
        data = b""
        async with asyncio.timeout(30):
            while b'"share.paused"' not in data:
                data += await reader.read(65536)
            end(other)
            while b'"share.resumed"' not in data:
                data += await reader.read(65536)
        writer.close()
        assert json.dumps(vacant).encode() in data
