"""One story to the dev server and the same back: the real client behind the real Traefik, on http and https edges."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from edge_helper import tunnelled, visiting

HTTP, HTTPS = {"url": "http://{name}.tunnel.localhost:8081"}, {"url": "https://{name}.tunnel.localhost"}


@pytest.fixture
def edge_settings(edge_settings, request):
    return edge_settings.model_copy(update=getattr(request, "param", {}))


async def server(reader, writer):
    """A dev server that keeps connections: it answers with the request's fields, and the fields of its query."""
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            lines = head.split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:-2])
            await reader.readexactly(int(fields.get("content-length", 0)))
            asked = httpx.URL(lines[0].split(" ")[1]).params.get_list("field")
            port = writer.get_extra_info("sockname")[1]
            more = "".join(f"{field}\r\n" for field in asked).replace("PORT", str(port))
            body = json.dumps(fields)
            writer.write(f"HTTP/1.1 200 OK\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}".encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


@pytest.fixture
async def target():
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()


@pytest.mark.parametrize("edge_settings", [HTTP, HTTPS], indirect=True)
async def test_the_way_in_and_back(traefik, port, token, edge_settings, target):
    for host in ("localhost", None, "my.test:81"):
        await check(traefik, port, token, edge_settings, target, host)


async def check(traefik, port, token, edge_settings, target, host):
    own = edge_settings.url.format(name="app")
    public, secure = httpx.URL(own).netloc.decode(), own.startswith("https")
    netloc = f"localhost:{target}" if host == "localhost" else host
    local = own if netloc is None else f"http://{netloc}"
    async with (
        tunnelled(port, token["token"], target=str(target), name="app", host=netloc),
        visiting(traefik, own) as browser,
    ):
        seen = (await browser.ask("POST", content=b"a=b", Origin=own, Referer=f"{own}/form?a=b")).json()
        assert {name: seen[name] for name in ("host", "x-forwarded-host")} == dict.fromkeys(
            ("host", "x-forwarded-host"), netloc or public
        )
        assert (seen["origin"], seen["referer"]) == (local, f"{local}/form?a=b")
        scheme = ("https" if secure else "http") if netloc is None else "http"
        ports = {"localhost": str(target), "my.test:81": "81"}
        assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == (
            scheme,
            ports.get(str(host), "443" if secure else "8081"),
        )
        foreign = (
            await browser.ask(
                "POST", content=b"a=b", Origin="https://evil.example", Referer="https://evil.example/"
            )
        ).json()
        assert (foreign["origin"], foreign["referer"]) == ("https://evil.example", "https://evil.example/")
        answer = await browser.ask(
            fields=(
                "Location: http://localhost:PORT/next",
                "Content-Location: http://127.0.0.1:PORT/a",
                "Refresh: 5; url=http://[::1]:PORT/b",
                "Link: <http://0.0.0.0:PORT/c>; rel=preload",
                "Set-Cookie: a=b; Domain=localhost; Path=/",
                "Set-Cookie: c=d; Path=/",
                "Access-Control-Allow-Origin: http://localhost:PORT",
            )
        )
        headers = answer.headers
        assert headers["location"] == "/next"
        assert headers["content-location"] == "/a"
        assert headers["refresh"] == "5; url=/b"
        assert headers["link"] == "</c>; rel=preload"
        assert headers.get_list("set-cookie") == ["a=b; Path=/", "c=d; Path=/"]
        assert headers["access-control-allow-origin"] == own


async def test_names_below_a_name(traefik, port, token, target):
    spec = {"target": str(target), "name": "app", "host": f"localhost:{target}", "subdomains": True}
    own = "http://foo.app.tunnel.localhost:8081"
    async with tunnelled(port, token["token"], **spec) as tunnel, visiting(traefik, own) as browser:
        answer = await browser.ask(fields=("Location: http://bar.localhost:PORT/a",), Origin=own)
        seen = answer.json()
        assert (seen["host"], seen["origin"]) == (
            f"foo.localhost:{target}",
            f"http://foo.localhost:{target}",
        )
        assert answer.headers["location"] == "http://bar.app.tunnel.localhost:8081/a"
        assert tunnel.server_problem is None
    async with (
        tunnelled(port, token["token"], target=str(target), name="app"),
        visiting(traefik, own, ready=404),
    ):
        pass


@pytest.mark.parametrize("edge_settings", [HTTPS], indirect=True)
async def test_names_below_need_a_certificate(traefik, port, token, target):
    with pytest.raises(AssertionError, match="a wildcard is for one level"):
        async with tunnelled(port, token["token"], target=str(target), name="app", subdomains=True):
            pass


async def test_a_reservation_has_names_below_its_own(traefik, port, peer, token, target):
    """The owner says so, whatever the client asked for; it is told at once."""
    made = await peer.post("/api/reservations", json={"kind": "http", "name": "app", "subdomains": True})
    assert (made.status_code, made.json()["subdomains"]) == (201, True)
    own = "http://foo.app.tunnel.localhost:8081"
    spec = {"target": str(target), "name": "app", "host": f"localhost:{target}"}

    async def change(**rules):
        changed = await peer.put(f"/api/reservations/{made.json()['id']}", json=rules)
        assert changed.status_code == 200, changed.text
        return changed.json()["subdomains"]

    async with tunnelled(port, token["token"], **spec) as tunnel:
        async with visiting(traefik, own) as browser:
            assert (await browser.ask(Origin=own)).json()["host"] == f"foo.localhost:{target}"
            assert await change(limits={"connections": 9}) is True  # left out, it stays
            assert await change(subdomains=False) is False
        async with visiting(traefik, own, ready=404):
            assert tunnel.subdomains is False
        assert await change(subdomains=True) is True
        async with visiting(traefik, own) as browser:
            assert (await browser.ask(Origin=own)).json()["origin"] == f"http://foo.localhost:{target}"
    kept = (await peer.get("/api/reservations")).json()
    assert [each["subdomains"] for each in kept] == [True]
    port_of_its_own = await peer.post("/api/reservations", json={"kind": "tcp", "subdomains": True})
    assert port_of_its_own.status_code == 422


@pytest.mark.parametrize("edge_settings", [HTTPS], indirect=True)
async def test_a_reservation_needs_a_certificate_for_them(peer):
    body = {"kind": "http", "name": "app"}
    refused = await peer.post("/api/reservations", json=body | {"subdomains": True})
    made = await peer.post("/api/reservations", json=body)
    changed = await peer.put(f"/api/reservations/{made.json()['id']}", json={"subdomains": True})
    for answer in (refused, changed):
        assert answer.status_code == 422
        assert "foo.app.tunnel.localhost" in answer.json()["detail"]
