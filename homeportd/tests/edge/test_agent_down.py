"""While the agent is down, Traefik leads nobody to ports of loopback, which any user of the machine may take."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading

import httpx
import pytest
from edge_devserver import serving
from edge_helper import PATIENCE_S, ended, link, over_socket, to_port, until_async

from homeportd.edge.traefik import agent_down

from ..freeports import free_port
from ..traefik import configure


class Thief:
    """Another program at ports that were the agent's; `met`: requests that it got."""

    def __init__(self, ports):
        self.met = []
        self._sockets = []
        for port in ports:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            sock.listen(50)
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        try:
            while True:
                with sock.accept()[0] as accepted:
                    self.met.append(accepted.recv(65536))
                    accepted.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthief"
                    )
        except OSError:
            pass

    def close(self):
        for sock in self._sockets:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()


@pytest.fixture
async def front(edge_settings, tmp_path):
    """The port of a Traefik that outlives the agent."""
    port = free_port()
    edge_settings.routes_dir.mkdir(exist_ok=True)
    command = configure(tmp_path, edge_settings.routes_dir, edge_settings.listen, {"web": port})
    process = await asyncio.create_subprocess_exec(*command)
    yield port
    process.terminate()
    await process.wait()


@pytest.mark.parametrize("end", ["terminate", "kill"])
async def test_who_takes_a_port_of_the_agents_gets_no_visitor(
    front, start, settings, edge_settings, port, connect_to, end
):
    agent = await start()
    async with httpx.AsyncClient(timeout=PATIENCE_S) as visitor, serving() as server:

        async def ask(name):
            answer = await visitor.get(
                f"http://127.0.0.1:{front}/", headers={"Host": f"{name}.tunnel.localhost:8081"}
            )
            return answer.status_code, answer.text

        async def answers():
            return (await ask("app"))[0] == 200

        client = await connect_to(to_port(server))
        tunnel = (await client.open("http", name="app")).tunnel
        await until_async(answers)
        route = json.loads((edge_settings.routes_dir / f"tunnel-{tunnel}.yml").read_text())
        taken = {port, *map(int, re.findall(r"127.0.0.1:(\d+)", json.dumps(route["http"]["services"])))}
        getattr(agent, end)()
        await ended(agent)

        async def is_down():
            return await ask("app") == (503, "no available server\n")

        if end == "kill":  # Traefik knows a moment later
            await until_async(is_down)
        thief = Thief(taken)
        for name in ("app", "admin", "other"):
            assert await ask(name) == (503, "no available server\n")
        assert thief.met == []
        thief.close()
        await start()
        client = await connect_to(to_port(server))
        await client.open("http", name="app")
        await until_async(answers)


@pytest.fixture
async def connect_to(settings, port):
    """A client of the agent that runs by then, always with the same token."""
    made, tokens = [], []

    async def make(handler):
        if not tokens:
            async with over_socket(settings.socket("cli")) as api:
                answer = await api.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})
                tokens.append(answer.json()["token"])
        made.append(await link(port, tokens[0], handler))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def test_the_route_stands_above_all_others():
    (router,) = agent_down.route("websecure", tls=True)["http"]["routers"].values()
    assert router["priority"] > 3 * 10_000
    assert (router["rule"], router["tls"]) == ("PathPrefix(`/`)", {})
