"""HTTP tunnels behind the real Traefik."""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import re
import time

import httpx
import pytest
import websockets
from edge_devserver import serving
from edge_helper import PATIENCE_S, link, refuse, to_port, until_async, within

from homeportd.tunnels.protocol import Closed


@pytest.fixture
async def devserver():
    async with serving() as port:
        yield port


@pytest.fixture
async def visit(traefik):
    """Ask for a path of a name."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{traefik.port}", timeout=PATIENCE_S) as client:

        async def ask(name, path="/", method="GET", **options):
            headers = {"Host": f"{name}.tunnel.localhost:8081", **options.pop("headers", {})}
            return await client.request(method, path, headers=headers, **options)

        yield ask


async def once_up(visit, name):
    async def up():
        return (await visit(name)).status_code == 200

    started = time.monotonic()
    await until_async(up)
    return time.monotonic() - started


async def test_a_name_leads_to_the_dev_server(visit, connect, devserver, peer):
    client = await connect(to_port(devserver))

    async def routed():
        nonlocal opened
        if opened:
            await peer.delete(f"/api/tunnels/{opened.tunnel}")
            await peer.delete(f"/api/reservations/{opened.tunnel}")
        opened = await client.open("http", name="MyApp", host="localhost:3000")
        return await once_up(visit, "myapp")

    opened = None
    await within(1, routed)
    assert opened.address == "http://myapp.tunnel.localhost:8081"
    headers = {
        "Origin": "http://myapp.tunnel.localhost:8081",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil",
        "Forwarded": "for=6.6.6.6;host=evil",
    }
    seen = (await visit("myapp", "/a%20b?c=d", headers=headers)).json()
    assert seen["path"] == "/a b"
    assert seen["headers"]["host"] == "localhost:3000"
    assert seen["headers"]["x-forwarded-host"] == "localhost:3000"
    assert seen["headers"]["origin"] == "http://localhost:3000"
    assert "6.6.6.6" not in seen["headers"]["x-forwarded-for"]
    assert "forwarded" not in seen["headers"]
    # A foreign origin goes through as it is: it is for the server to refuse.
    seen = (await visit("myapp", headers={"Origin": "http://evil.example"})).json()
    assert seen["headers"]["origin"] == "http://evil.example"
    assert seen["headers"]["host"] == "localhost:3000"

    async def logged():
        rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs")).json()
        return [row for row in rows if row["path"] == "/a b" or row["path"] == "/a%20b"]

    (row,) = await until_async(logged)
    assert (row["event"], row["method"], row["status"], row["address"]) == (
        "request",
        "GET",
        200,
        "127.0.0.1",
    )
    (shown,) = (await peer.get("/api/tunnels")).json()
    assert shown["state"] == "live"
    assert shown["requests"] >= 2
    assert shown["bytes_out"] > 0


async def test_the_server_is_told_the_truth_about_the_way(visit, connect, devserver):
    client = await connect(to_port(devserver))
    await client.open("http", name="way")
    await once_up(visit, "way")
    lies = {
        "Host": "way.tunnel.localhost:9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Scheme": "https",
        "X-Forwarded-Ssl": "on",
        "X-Scheme": "https",
        "Front-End-Https": "on",
        "X-Forwarded": "for=6.6.6.6",
        "Forwarded": "for=6.6.6.6;proto=https",
        "X-Real-Ip": "6.6.6.6",
        "X-Forwarded-Server": "evil",
        "X-Forwarded-Prefix": "/evil",
    }
    seen = (await visit("way", headers=lies)).json()["headers"]
    told = {name: value for name, value in seen.items() if "forward" in name or name in map(str.lower, lies)}
    assert told == {
        "host": "way.tunnel.localhost:9",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-host": "way.tunnel.localhost:9",
        "x-forwarded-port": "8081",
        "x-forwarded-proto": "http",
        "x-real-ip": "127.0.0.1",
    }


async def test_websockets_pass(visit, traefik, connect, devserver):
    client = await connect(to_port(devserver))
    await client.open("http", name="ws", host="localhost:3000")
    await once_up(visit, "ws")
    url = f"ws://ws.tunnel.localhost:{traefik.port}/socket"
    async with websockets.connect(url, host="127.0.0.1", proxy=None) as socket:
        for text in ("hello", "x" * 100_000):
            await socket.send(text)
            assert await socket.recv() == text[::-1]


async def test_events_come_one_by_one(visit, traefik, connect, devserver):
    """The server makes the second one when the first one has come."""
    client = await connect(to_port(devserver))
    await client.open("http", name="sse")
    await once_up(visit, "sse")
    headers = {"Host": "sse.tunnel.localhost"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_S) as http,
        http.stream("GET", f"http://127.0.0.1:{traefik.port}/events", headers=headers) as response,
    ):
        lines = response.aiter_lines()
        for number in range(3):
            assert await anext(lines) == f"data: {number}"
            assert await anext(lines) == ""
            assert (await visit("sse", "/next")).status_code == 200


async def test_an_upload_arrives_whole(visit, connect, devserver):
    client = await connect(to_port(devserver))
    await client.open("http", name="up")
    await once_up(visit, "up")
    payload = os.urandom(24 * 1024 * 1024)
    seen = (await visit("up", "/put", "PUT", content=payload)).json()
    assert seen["size"] == len(payload)
    assert seen["sha256"] == hashlib.sha256(payload).hexdigest()


async def test_pages_say_why_there_is_nothing(visit, connect, token):
    client = await connect(refuse)
    await client.open("http", name="app")

    async def page(name):
        response = await visit(name, headers={"Accept": "text/html"})
        return response.status_code, response.text

    async def silent():
        return "does not answer" in (await page("app"))[1]

    await until_async(silent)
    assert (await page("app"))[0] == 502
    body = os.urandom(1024 * 1024)
    response = await visit("app", "/", "POST", content=body)
    assert response.status_code == 502
    await client.close()

    async def offline():
        return "not connected" in (await page("app"))[1]

    await until_async(offline)
    status, text = await page("nothing-here")
    assert (status, "no tunnel of this name" in text) == (404, True)


async def test_nobody_is_answered_before_the_question(running, connect, edge_settings):
    client = await connect(refuse)
    await client.open("http", name="app")
    (route,) = edge_settings.routes_dir.glob("tunnel-*.yml")
    (port,) = map(int, re.findall(r'"url": "http://127.0.0.1:(\d+)"', route.read_text()))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with pytest.raises(TimeoutError):  # Traefik would say 500: an answer, and it had not asked
        await asyncio.wait_for(reader.read(1), 0.3)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 502 ")
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_goes_amid_a_question_is_not_called_silent(visit, connect):
    came = asyncio.Event()

    async def think(_introduction, _stream):
        came.set()
        await asyncio.sleep(60)

    client = await connect(think)
    await client.open("http", name="gone")

    async def under_way():
        asked = asyncio.create_task(visit("gone"))
        await asyncio.wait((asked, asyncio.create_task(came.wait())), return_when=asyncio.FIRST_COMPLETED)
        return came.is_set() and asked

    asked = await until_async(under_way)
    await client.close()
    response = await asked
    assert (response.status_code, "is offline" in response.text) == (502, True)


async def test_whoever_comes_before_traefik_has_the_route_is_asked_to_try_again(connect, devserver, port):
    client = await connect(to_port(devserver))
    await client.open("http", name="early")
    async with httpx.AsyncClient(timeout=PATIENCE_S) as traefik:

        async def ask(host):
            return await traefik.get(f"http://127.0.0.1:{port}/", headers={"Host": host})

        answer = await ask("EARLY.tunnel.localhost:8081")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "is being opened" in answer.text
        for host in ("late.tunnel.localhost", "early.tunnel.example", "early", "\xe4.tunnel.localhost"):
            assert (await ask(host.encode("latin-1"))).status_code in (400, 404)


async def test_only_allowed_networks_come_in(visit, connect, devserver, peer):
    client = await connect(to_port(devserver))
    opened = await client.open("http", name="net", allow=("10.0.0.0/8", "2001:db8::/32"))

    async def refused():
        return (await visit("net")).status_code == 403

    await until_async(refused)

    async def told():
        rows = (await peer.get(f"/api/tunnels/{opened.tunnel}/logs")).json()
        return any(row["event"] == "refused" and row["status"] == 403 for row in rows)

    await until_async(told)
    assert (await peer.get(f"/api/tunnels/{opened.tunnel}")).json()["refused"] >= 1
    await client.open("http", name="net", allow=("127.0.0.0/8",))
    await once_up(visit, "net")


async def test_a_new_client_takes_the_name_over_at_once(visit, connect, devserver, port, token):
    async def take_over():
        old = await connect(to_port(devserver))
        await old.open("http", name="app")
        await once_up(visit, "app")
        async with serving() as other:
            new = await connect(to_port(other))
            started = time.monotonic()
            await new.open("http", name="app")
            assert (await visit("app")).status_code == 200
            took = time.monotonic() - started
        closed = await old.next(Closed)
        assert closed.reason == "taken-over"
        return took

    await within(1, take_over)


async def test_links_come_through_traefik(traefik, token, running):
    client = await link(traefik.port, token["token"])
    try:
        opened = await client.open("tcp")
        assert opened.port
        # A new route leaves the link alone.
        await client.open("http", name="one")
        await asyncio.sleep(0.5)
        assert not client.session.is_closed
    finally:
        await client.close()


async def test_the_admin_origin_is_the_api(visit, peer):
    response = await visit("admin", "/api/tunnels")
    assert response.status_code == 401
    made = (await peer.post("/api/tokens", json={"name": "script"})).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert (await visit("admin", "/api/tunnels", headers=bearer)).json() == []
    metrics = await visit("admin", "/metrics", headers=bearer)
    assert "homeport_edge_links 0" in metrics.text
    # A token for tunnels opens no API.
    made = (await peer.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert (await visit("admin", "/api/tunnels", headers=bearer)).status_code == 401


@pytest.fixture
def edge_settings(edge_settings, request):
    return edge_settings.model_copy(update=getattr(request, "param", {}))


@pytest.mark.parametrize("edge_settings", [{"url": "https://{name}.tunnel.localhost"}], indirect=True)
async def test_visitors_speak_http_2_over_tls(traefik, connect, devserver):
    client = await connect(to_port(devserver))
    await client.open("http", name="h2", host="localhost:3000")
    async with httpx.AsyncClient(http2=True, verify=False, timeout=PATIENCE_S) as http:  # noqa: S501 - Traefik's own certificate

        async def ask():
            return await http.get(
                f"https://127.0.0.1:{traefik.tls_port}/x",
                headers={"Host": "h2.tunnel.localhost", "Origin": "https://h2.tunnel.localhost"},
                extensions={"sni_hostname": "h2.tunnel.localhost"},
            )

        async def up():
            response = await ask()
            return response.status_code == 200 and response

        response = await until_async(up)
        assert response.http_version == "HTTP/2"
        seen = response.json()["headers"]
        assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "3000")
        assert seen["origin"] == "http://localhost:3000"
        answers = await asyncio.gather(*(ask() for _ in range(50)))
        assert {answer.status_code for answer in answers} == {200}


async def test_an_allowlist_holds_from_the_first_byte(visit, traefik, connect, devserver, peer):
    """Traefik takes a moment to read a changed route; nobody may slip in by the one before."""
    older = await connect(to_port(devserver))
    opened = await older.open("http", name="strict")
    await once_up(visit, "strict")
    came, asked_later, strict_since = [], [], math.inf

    async def count(introduction, stream):
        came.append(introduction)
        stream.reset()

    statuses = []

    async def knock():
        while True:
            begun = time.monotonic()
            status = (await visit("strict")).status_code
            statuses.append(status)
            if begun > strict_since:
                asked_later.append(status)

    visitors = [asyncio.create_task(knock()) for _ in range(3)]
    newer = await connect(count)
    await newer.open("http", name="strict", allow=("203.0.113.0/24",))
    await until_async(lambda: asyncio.sleep(0, 403 in statuses[-3:]))
    # The owner's own rules, for a client that stays.
    again = await connect(to_port(devserver))
    await again.open("http", name="strict")
    await until_async(lambda: asyncio.sleep(0, 200 in statuses[-3:]))
    rules = {"allow": ["203.0.113.0/24"], "limits": {}}
    assert (await peer.put(f"/api/reservations/{opened.tunnel}", json=rules)).status_code == 200
    strict_since = time.monotonic()
    await until_async(lambda: asyncio.sleep(0, 403 in asked_later))
    await asyncio.sleep(0.5)
    for task in visitors:
        task.cancel()
    await asyncio.gather(*visitors, return_exceptions=True)
    assert came == []
    assert 200 not in asked_later  # what was under way may have had its answer


async def test_a_visitor_cannot_say_where_it_comes_from(visit, connect, devserver):
    client = await connect(to_port(devserver))
    await client.open("http", name="listed", allow=("203.0.113.0/24",))
    names = (
        "X-Forwarded-For",
        "X-Real-Ip",
        "Forwarded",
        "X-Homeport-Client",
        "CF-Connecting-IP",
        "True-Client-IP",
    )

    async def routed():
        return (await visit("listed")).status_code == 403

    await until_async(routed)
    for name in names:
        value = "for=203.0.113.7" if name == "Forwarded" else "203.0.113.7"
        assert (await visit("listed", headers={name: value})).status_code == 403
    connection = {"Connection": "X-Forwarded-For, X-Real-Ip", "X-Forwarded-For": "203.0.113.7"}
    assert (await visit("listed", headers=connection)).status_code == 403
