"""Caddy's listener for visitors of tunnels: who they are is what the edge says, and ports alone are served."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import unix_connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ..freeports import free_port

PASSWORD = "open sesame"
ONE, OTHER = "203.0.113.7", "2001:db8::9"
PAGE = {"Accept": "text/html"}


@asynccontextmanager
async def tunnel(gateway):
    """A program that sends requests as the client of a tunnel does."""
    transport = httpx.AsyncHTTPTransport(uds=str(gateway.sockets / "visitors/visitors.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://tunnel", timeout=30) as made:
        yield made


def of(gateway, port: int | None, forwarded: str | None = ONE, **headers: str) -> dict[str, str]:
    """The headers of a visitor's request as Traefik sends it on."""
    return {
        "Host": gateway.host(port),
        **({} if forwarded is None else {"X-Forwarded-For": forwarded}),
        "X-Forwarded-Proto": "https",
        **headers,
    }


async def test_guesses_of_one_visitor_lock_out_nobody_else(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD, max_uses=1)
    async with tunnel(gateway) as visitor:

        async def send(password: str, forwarded: str) -> httpx.Response:
            form = {"password": password, "next": "/x?y=1"}
            return await visitor.post(
                "/.homeport/password", data=form, headers=of(gateway, dev.port, forwarded)
            )

        for _ in range(5):
            assert (await send("no", ONE)).status_code == 401
        assert (await send(PASSWORD, ONE)).status_code == 429
        assert (
            await send(PASSWORD, f"{OTHER}, {ONE}")
        ).status_code == 429  # the left part is the visitor's own word
        right = await send(PASSWORD, OTHER)
        assert (right.status_code, right.headers["location"]) == (303, "/x?y=1")
        cookie = right.headers["set-cookie"].partition(";")[0]
        seen = await visitor.get("/x?y=1", headers=of(gateway, dev.port, OTHER, Cookie=cookie))
        assert seen.status_code == 200
        assert {n.lower(): v for n, v in seen.json()["headers"]}["x-forwarded-for"] == OTHER
    assert {row["address"] for row in await gateway.log_of(dev.port)} == {ONE, OTHER}


async def test_nobody_is_let_in_without_an_address(gateway, dev):
    nameless = (None, "", "garbage", "@")  # then Caddy has `@` for an address
    async with tunnel(gateway) as visitor:
        for networks in ([], ["203.0.113.0/24"]):
            await gateway.share(dev.port, allow=networks)
            for forwarded in (*nameless, ONE, OTHER, "127.77.0.1", f"{ONE}, 8.8.8.8", f"8.8.8.8, {ONE}"):
                answer = await visitor.get("/", headers=of(gateway, dev.port, forwarded))
                within = not networks or forwarded in (ONE, f"8.8.8.8, {ONE}")
                expected = 400 if forwarded in nameless else 200 if within else 403
                assert answer.status_code == expected, (networks, forwarded, answer.text)


async def test_ports_alone_are_served(gateway, dev):
    token = await gateway.token()
    await gateway.share(dev.port)
    async with tunnel(gateway) as visitor:
        for host in (gateway.host(), f"127.0.0.1:{gateway.number}", "elsewhere.example"):
            for path in ("/", "/api/ports", f"/api/proxy/{dev.port}/"):
                headers = of(gateway, None, Host=host, Authorization=f"Bearer {token}")
                assert (await visitor.get(path, headers=headers)).status_code == 421
        assert (await visitor.request("TRACE", "/", headers=of(gateway, dev.port))).status_code == 405
        stream = await visitor.get("/x", headers=of(gateway, dev.port, Accept="text/event-stream"))
        assert stream.status_code == 200


async def test_a_websocket_of_a_visitor_ends_with_the_share(gateway):
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", free_port()) as server:
        port = server.sockets[0].getsockname()[1]
        await gateway.listening(port)
        await gateway.share(port)
        path = str(gateway.sockets / "visitors/visitors.sock")
        uri, address = f"ws://{gateway.host(port)}/socket", {"X-Forwarded-For": ONE}
        with pytest.raises(InvalidStatus):
            await unix_connect(path, uri)  # without an address
        async with unix_connect(path, uri, additional_headers=address) as visitor:
            await visitor.send("hello")
            assert await visitor.recv() == "hello"
            await gateway.unshare(port)
            with pytest.raises(ConnectionClosed):
                async with asyncio.timeout(30):
                    await visitor.recv()
    assert ONE in {row["address"] for row in await gateway.log_of(port)}


async def test_a_private_port_leads_nobody_to_localhost(gateway, dev):
    async with tunnel(gateway) as visitor:
        answer = await visitor.get("/", headers=of(gateway, dev.port, **PAGE))
        assert (answer.status_code, "location" in answer.headers) == (401, False)
        assert "private" in answer.text


async def test_an_address_that_all_visitors_had_goes_from_the_allowlist(gateway, dev):
    made = await gateway.share(dev.port, allow=["203.0.113.0/24", "127.77.0.1/32"])
    assert "127.77.0.1/32" in made["allow"]
    async with tunnel(gateway) as visitor:
        assert (await visitor.get("/", headers=of(gateway, dev.port))).status_code == 200
    left = (await gateway.owner.get(f"/api/ports/{dev.port}/share")).json()
    assert (left["allow"], left["generation"]) == (["203.0.113.0/24"], made["generation"])


async def test_the_edges_name_of_a_ports_origin_is_its_own(dev, tmp_path, make_gateway):
    async with make_gateway(tmp_path, pattern="https://{port}-dev.example.com") as gateway:
        await gateway.share(dev.port, "password", password=PASSWORD)
        host = f"{dev.port}-dev.example.com"
        form = {"password": PASSWORD}
        async with tunnel(gateway) as visitor:
            for origin, status in ((f"http://{host}", 303), ("http://evil.example", 403)):
                headers = of(gateway, None, Host=host, Origin=origin)
                answer = await visitor.post("/.homeport/password", data=form, headers=headers)
                assert answer.status_code == status


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_server_is_led_back_to_the_scheme_that_the_edge_says(gateway, dev, scheme):
    await gateway.share(dev.port)
    async with tunnel(gateway) as visitor:
        headers = of(gateway, dev.port, **{"X-Forwarded-Proto": scheme})
        answer = await visitor.get(f"/redirect?to=http://localhost:{dev.port}/x", headers=headers)
        assert answer.headers["location"] == f"{scheme}://{gateway.host(dev.port)}/x"
