"""The dashboard at the edge's own origin: who gets in, from which page, from which network."""

from __future__ import annotations

import json

import httpx
import pytest
import websockets
from edge_helper import PATIENCE_S, over_socket

from homeportd.app import agent

ADMIN = "http://admin.tunnel.localhost:8081"
DASHBOARD = "http://localhost:8080"
HOST = ADMIN.removeprefix("http://")


@pytest.fixture
def edge_settings(edge_settings, request):
    return edge_settings.model_copy(update=getattr(request, "param", {}))


@pytest.fixture
async def admin(running, port):
    """A browser at the admin origin, as Traefik passes it on."""
    headers = {"Host": HOST, "X-Forwarded-For": "203.0.113.9"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=PATIENCE_S
    ) as client:
        yield client


async def log_in(peer, client):
    """By a link, whose path is good at either origin."""
    link = (await peer.post("/api/login-links")).json()["url"]
    answer = await client.get("/login/" + link.rpartition("/")[2])
    assert answer.status_code == 303
    return answer


async def test_a_link_logs_in_at_the_admin_origin(admin, peer):
    assert (await admin.get("/api/tunnels")).status_code == 401
    answer = await log_in(peer, admin)
    assert answer.headers["set-cookie"].startswith("homeport_session=")
    assert "Domain" not in answer.headers["set-cookie"]
    assert (await admin.get("/api/tunnels")).json() == []
    status = (await admin.get("/api/status")).json()
    assert status["dashboard_url"] == DASHBOARD
    assert status["edge"]["admin_url"] == ADMIN
    assert status["edge"]["url"] == "http://{name}.tunnel.localhost:8081"


@pytest.mark.parametrize("edge_settings", [{"url": "https://{name}.tunnel.example.com"}], indirect=True)
async def test_the_cookie_is_that_of_the_origin_and_not_of_the_workstation(running, peer, admin):
    admin.headers["Host"] = "admin.tunnel.example.com"
    cookie = (await log_in(peer, admin)).headers["set-cookie"]
    assert cookie.startswith("__Host-homeport_session=")
    assert "Secure" in cookie
    async with over_socket(running.socket("web")) as client:
        plain = (await log_in(peer, client)).headers["set-cookie"]
    assert plain.startswith("homeport_session=")
    assert "Secure" not in plain


async def test_links_lead_where_they_were_asked_for(admin, peer, browser):
    assert (await peer.post("/api/login-links")).json()["url"].startswith(f"{DASHBOARD}/login/")
    assert (await browser.post("/api/login-links")).json()["url"].startswith(f"{DASHBOARD}/login/")
    await log_in(peer, admin)
    made = await admin.post("/api/login-links", headers={"Origin": ADMIN})
    assert made.json()["url"].startswith(f"{ADMIN}/login/")


@pytest.mark.parametrize(
    "origin",
    [
        DASHBOARD,  # the other dashboard has its own API
        "http://evil.tunnel.localhost:8081",  # a tunnel, same site: its requests carry the cookie
        "http://admin.tunnel.localhost",
        "https://admin.tunnel.localhost:8081",
        "http://tunnel.localhost:8081",
        "null",
        "",
    ],
)
async def test_another_page_may_not_use_the_cookie(admin, peer, port, origin):
    await log_in(peer, admin)
    assert (await admin.post("/api/tokens", json={"name": "a"}, headers={"Origin": ADMIN})).status_code == 201
    refused = await admin.post("/api/tokens", json={"name": "b"}, headers={"Origin": origin})
    assert refused.status_code == 403
    assert [token["name"] for token in (await peer.get("/api/tokens")).json()] == ["a"]
    cookie = f"homeport_session={admin.cookies['homeport_session']}"
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with watching(port, cookie, origin):
            pass
    assert caught.value.response.status_code == 403


async def test_the_workstation_refuses_the_admin_origin(browser):
    refused = await browser.post("/api/tokens", json={"name": "a"}, headers={"Origin": ADMIN})
    assert refused.status_code == 403


def watching(port, cookie, origin):
    return websockets.connect(
        f"ws://{HOST}/api/events",
        host="127.0.0.1",
        port=port,
        origin=origin,
        proxy=None,
        additional_headers={"Cookie": cookie, "X-Forwarded-For": "203.0.113.9"},
    )


async def test_events_come_over_the_admin_origin(admin, peer, port):
    await log_in(peer, admin)
    cookie = f"homeport_session={admin.cookies['homeport_session']}"
    async with watching(port, cookie, ADMIN) as socket:
        assert json.loads(await socket.recv())["type"] == "hello"


async def test_no_page_of_it_is_in_a_frame(admin):
    for path in ("/api/health", "/", "/none"):
        headers = (await admin.get(path)).headers
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "frame-ancestors 'none'"


@pytest.mark.parametrize(
    "edge_settings", [{"admin_allow": ("203.0.113.0/28", "2001:db8::/32")}], indirect=True
)
async def test_other_networks_are_refused_before_anything_is_asked(admin, peer, port, edge_settings):
    assert (await admin.get("/api/health")).status_code == 200
    for address, status in (
        ("2001:db8::1", 200),
        ("::ffff:203.0.113.9", 200),
        ("203.0.113.99", 403),
        ("203.0.113.9, 198.51.100.1", 403),  # the last is Traefik's own word
        ("198.51.100.1, 203.0.113.9", 200),
        ("nobody", 403),
    ):
        answer = await admin.get("/api/health", headers={"X-Forwarded-For": address})
        assert answer.status_code == status, address
    assert answer.json()["fix"]
    headers = {"X-Forwarded-For": "198.51.100.1", "Accept": "text/html,*/*"}
    page = await admin.get("/", headers=headers)  # what a person sees
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "You come from 198.51.100.1." in page.text
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with websockets.connect(
            f"ws://{HOST}/api/events",
            host="127.0.0.1",
            port=port,
            proxy=None,
            additional_headers={"X-Forwarded-For": "198.51.100.1"},
        ):
            pass
    assert caught.value.response.status_code == 403


async def test_an_edge_alone_has_a_dashboard_and_no_ports(settings, port):
    alone = settings.model_copy(update={"origin": None})
    async with agent(alone, bcrypt_rounds=4), over_socket(alone.socket("cli")) as peer:
        assert (await peer.post("/api/login-links")).json()["url"].startswith(f"{ADMIN}/login/")
        status = (await peer.get("/api/status")).json()
        assert (status["dashboard_url"], status["origin"]) == (ADMIN, None)
        assert status["counts"] == {"ports": 0, "shared": 0, "repos": 0}
        for path in ("/api/ports", "/api/repos", "/handoff?port=3000"):
            assert (await peer.get(path)).status_code == 404
        assert (await peer.get("/api/tunnels")).json() == []
        assert sorted(path.name for path in alone.socket_dir.iterdir()) == ["cli.sock", "web.sock"]


async def test_a_refused_value_is_told_in_our_own_words(running, peer):
    answer = await peer.post("/api/reservations", json={"kind": "tcp", "allow": ["10.0.0.0/99"]})
    assert (answer.status_code, answer.json()["detail"]) == (422, "'10.0.0.0/99' is not a network")
