"""Other users of the edge's machine: what Traefik alone may say to the agent, they may not."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys

import httpx
import pytest
from edge_devserver import serving
from edge_helper import PATIENCE_S, to_port, until_async

from homeportd import sock_diag
from homeportd.connection_peers import ConnectionPeers
from homeportd.edge.traefik.routes import UNTRUSTED_HEADERS

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
ASK = """
import encodings.idna, os, socket, sys  # all of it before that user cannot read it
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as asked:
    try:
        asked.sendall(sys.argv[2].encode() + b"\\r\\n\\r\\n")
        if sys.argv[3] == "leave":
            raise SystemExit
        while data := asked.recv(65536):
            os.write(1, data)
    except ConnectionError:
        os.write(1, b"reset")
"""


async def ask_as_stranger(port, head, leave=""):
    """What another user's program gets for a request."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", ASK, str(port), head, leave, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return out.decode()


def upstream(edge_settings, tunnel):
    text = (edge_settings.routes_dir / f"tunnel-{tunnel}.yml").read_text()
    return int(re.search(r"http://127\.0\.0\.1:(\d+)", json.dumps(json.loads(text)["http"]["services"]))[1])


@as_root
async def test_a_tunnels_port_is_for_traefik_alone(connect, peer, edge_settings):
    met = []
    async with serving() as server:

        async def handler(introduction, stream):
            met.append(introduction)
            await to_port(server)(introduction, stream)

        client = await connect(handler)
        opened = await client.open("http", name="app")
        port = upstream(edge_settings, opened.tunnel)
        head = "GET / HTTP/1.1\r\nHost: app.tunnel.localhost\r\nConnection: close"
        assert await ask_as_stranger(port, head) == "reset"
        await ask_as_stranger(port, head, "leave")  # a socket that nobody holds is nobody's
        _, writer = await asyncio.open_connection("127.0.0.1", port)  # as Traefik, which is of our user
        writer.write(head.encode() + b"\r\n\r\n")
        await until_async(lambda: counted(peer, connections=1, refused=2))
        assert len(met) == 1
        writer.close()


async def counted(peer, **figures):
    (shown,) = (await peer.get("/api/tunnels")).json()
    return {name: shown[name] for name in figures} == figures


@as_root
async def test_the_agents_port_is_for_traefik_alone(running, port, peer):
    options = {"kind": "http", "name": "app", "passcode": "sesame"}
    tunnel = (await peer.post("/api/reservations", json=options)).json()["id"]
    for path in ("/.homeport/connect", f"/.homeport/passcode/{tunnel}", "/api/health"):
        answer = await ask_as_stranger(
            port, f"GET {path} HTTP/1.1\r\nHost: admin.tunnel.localhost\r\nX-Forwarded-For: 203.0.113.7"
        )
        assert answer.startswith("HTTP/1.1 403 ")
        assert "fix: use http://admin.tunnel.localhost:8081" in answer


class Accepted:
    """A transport's part of an accepted connection."""

    def __init__(self, sock):
        self.info = {"peername": sock.getpeername(), "sockname": sock.getsockname()}

    def get_extra_info(self, name, default=None):
        return self.info[name]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("netlink", [True, False], ids=["netlink", "proc"])
def test_the_user_of_a_connection(host, netlink, monkeypatch):
    if not netlink:
        monkeypatch.setattr(sock_diag, "NETLINK_SOCK_DIAG", 77)
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        near = socket.create_connection(server.getsockname()[:2])
        accepted, _ = server.accept()
    with accepted:
        ours, other = ConnectionPeers(None), ConnectionPeers("nobody" if os.getuid() == 0 else "root")
        assert ours.admits(Accepted(accepted))
        assert not other.admits(Accepted(accepted))
        info = Accepted(accepted)
        near.close()
        assert not ours.admits(info)  # nobody holds it
        ours.close()
        other.close()


def test_an_unknown_user_is_an_error():
    with pytest.raises(OSError, match="no user is called nosuchuser"):
        ConnectionPeers("nosuchuser")


async def test_what_a_visitor_says_about_itself_is_deleted(traefik, connect):
    async with serving() as server, httpx.AsyncClient(timeout=PATIENCE_S) as visitor:
        client = await connect(to_port(server))
        await client.open("http", name="app")
        url = f"http://127.0.0.1:{traefik.port}/"
        host = {"Host": "app.tunnel.localhost:8081"}
        await until_async(lambda: answers(visitor, url, host))
        lies = dict.fromkeys((*UNTRUSTED_HEADERS, "X-Forwarded-Tls-Client-Cert", "X-Forwarded-Uri"), "lie")
        seen = (await visitor.get(url, headers={**host, **lies})).json()["headers"]
        assert [name for name, value in seen.items() if value == "lie"] == []


async def answers(visitor, url, headers):
    return (await visitor.get(url, headers=headers)).status_code == 200


async def test_a_passcode_is_tried_under_its_own_name_alone(traefik, peer, connect):
    async with serving() as server, httpx.AsyncClient(timeout=PATIENCE_S) as visitor:
        client = await connect(to_port(server))
        opened = await client.open("http", name="app", passcode="sesame")
        await client.open("http", name="other")
        base = f"http://127.0.0.1:{traefik.port}"

        async def ask(host, path, **options):
            headers = {"Host": f"{host}.tunnel.localhost:8081", **options.pop("headers", {})}
            return await visitor.request(
                options.pop("method", "GET"), base + path, headers=headers, **options
            )

        async def guarded():
            return (await ask("app", "/")).status_code == 401

        await until_async(guarded)
        check = f"/.homeport/passcode/{opened.tunnel}"
        said = {"X-Forwarded-Host": "app.tunnel.localhost:8081", "X-Homeport-Tunnel": opened.tunnel}
        for passcode in ("sesame", "wrong"):
            assert (await ask("none", check, headers=said, auth=("", passcode))).status_code == 404
            form = {"data": {"password": passcode}, "method": "POST", "headers": said}
            assert (await ask("none", "/.homeport/passcode", **form)).status_code == 404
        assert (await ask("app", "/", auth=("", "sesame"))).status_code == 200
