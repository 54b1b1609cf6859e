"""Who may use the API, and how."""

import asyncio
import json
import os
import subprocess
import sys

import pytest
import websockets

from homeportd.app import agent
from homeportd.auth.limiter import FAILURES
from homeportd.uvicorn_shutdown import STOP_S

from ..conftest import over_socket


async def test_health_needs_nobody_and_everything_else_the_owner(visitor):
    assert (await visitor.get("/api/health")).json() == {"status": "ok"}
    document = (await visitor.get("/api/openapi.json")).json()
    open_to_all = {"/api/health", ("/api/session", "post")}
    for path, methods in document["paths"].items():
        for method in methods:
            if path in open_to_all or (path, method) in open_to_all or path.startswith("/api/proxy"):
                continue
            address = path.replace("{port}", "3000").replace("{token_id}", "x")
            answer = await visitor.request(method, address, json={})
            assert answer.status_code == 401, (method, path)
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["fix"]


async def test_the_command_line_is_trusted_by_its_user(peer):
    assert (await peer.get("/api/session")).json() == {
        "kind": "peer",
        "name": str(os.getuid()),
        "has_password": False,
    }


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
async def test_another_user_is_not_trusted_even_with_the_socket_open(running):
    running.socket_dir.chmod(0o755)
    running.socket("cli").chmod(0o666)
    script = (
        "import http.client, os, socket, sys; os.setuid(65534);"
        "c = http.client.HTTPConnection('x'); c.sock = socket.socket(socket.AF_UNIX);"
        "c.sock.connect(sys.argv[1]); c.request('GET', '/api/ports'); print(c.getresponse().status)"
    )
    command = [sys.executable, "-c", script, str(running.socket("cli"))]
    answer = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert answer.stdout == "401\n", answer.stderr


async def test_a_login_link_opens_a_session_once(peer, visitor):
    link = (await peer.post("/api/login-links")).json()["url"]
    path = link.removeprefix("http://localhost:8080")
    first = await visitor.get(path)
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Domain" not in cookie
    assert (await visitor.get("/api/session")).json()["kind"] == "session"
    visitor.cookies.clear()
    second = await visitor.get(path)
    assert "set-cookie" not in second.headers
    assert second.headers["location"] == "/?login=expired"


async def test_a_session_cannot_be_used_from_another_site(browser):
    for name, value in (
        ("Origin", "http://3000.localhost:8080"),
        ("Origin", "null"),
        ("Sec-Fetch-Site", "same-site"),
        ("Sec-Fetch-Site", "cross-site"),
    ):
        answer = await browser.post("/api/tokens", json={"name": "x"}, headers={name: value})
        assert answer.status_code == 403, (name, value)
    assert (await browser.post("/api/tokens", json={"name": "x"})).status_code == 201


async def test_logging_out_ends_the_session(browser):
    assert (await browser.delete("/api/session")).status_code == 204
    assert (await browser.get("/api/session")).status_code == 401


async def test_tokens_are_shown_once_work_and_are_revoked(peer, visitor):
    made = (await peer.post("/api/tokens", json={"name": "ci"})).json()
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert (await visitor.get("/api/session", headers=bearer)).json()["kind"] == "token"
    listed = (await peer.get("/api/tokens")).json()
    assert [token["id"] for token in listed] == [made["id"]]
    assert made["token"] not in json.dumps(listed)
    assert (await peer.delete(f"/api/tokens/{made['id']}")).status_code == 204
    answer = await visitor.get("/api/session", headers=bearer)
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]


async def test_the_password_logs_in_and_wrong_ones_are_limited_by_the_real_address(peer, visitor):
    assert (await peer.put("/api/password", json={"password": "short"})).status_code == 422
    assert (await peer.put("/api/password", json={"password": "correct horse"})).status_code == 204
    here, there = {"X-Homeport-Client": "203.0.113.7"}, {"X-Homeport-Client": "203.0.113.8"}
    for _ in range(FAILURES):
        answer = await visitor.post("/api/session", json={"password": "wrong"}, headers=here)
        assert answer.status_code == 401
    right = {"password": "correct horse"}
    assert (await visitor.post("/api/session", json=right, headers=here)).status_code == 429
    assert (await visitor.post("/api/session", json=right, headers=there)).status_code == 204
    assert (await visitor.get("/api/session")).json()["kind"] == "session"


async def test_the_handoff_to_a_port_needs_a_login_session(browser, visitor):
    answer = await browser.get("/handoff", params={"port": 3000, "next": "/a?b=c"})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("http://3000.localhost:8080/.homeport/enter?code=")
    assert answer.headers["location"].endswith("&next=%2Fa%3Fb%3Dc")
    evil = await browser.get("/handoff", params={"port": 3000, "next": "//evil.example"})
    assert evil.headers["location"].endswith("&next=%2F")
    stranger = await visitor.get("/handoff", params={"port": 3000, "next": "/a"})
    assert stranger.headers["location"] == "/?next=%2Fhandoff%3Fport%3D3000%26next%3D%252Fa"
    old = await browser.get("/hop", params={"port": 3000, "next": "/a?b=c"})
    assert (old.status_code, old.headers["location"]) == (308, "/handoff?port=3000&next=%2Fa%3Fb%3Dc")


async def test_large_bodies_are_refused_declared_or_not(peer):
    async def endless():
        for _ in range(100):
            yield b" " * 1024

    for content in (b" " * 100_000, endless()):
        answer = await peer.post("/api/tokens", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["fix"] == "send less"


async def test_unknown_addresses_and_methods_are_problems_too(peer):
    for method, path, status in (("GET", "/api/nope", 404), ("PATCH", "/api/ports", 405)):
        answer = await peer.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def connect(running, headers, since=""):
    return websockets.unix_connect(
        str(running.socket("web")),
        uri=f"ws://localhost:8080/api/events?since={since}",
        additional_headers=headers,
        proxy=None,
    )


async def test_events_are_for_the_owner_on_the_dashboards_own_page(running, browser):
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    for headers, status in (
        ({}, 401),
        ({"Cookie": cookie, "Origin": "http://3000.localhost:8080"}, 403),
    ):
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with connect(running, headers):
                pass
        assert caught.value.response.status_code == status
    async with connect(running, {"Cookie": cookie, "Origin": "http://localhost:8080"}) as events:
        assert json.loads(await events.recv())["type"] == "hello"
        await browser.delete("/api/session")
        async with asyncio.timeout(30):
            await events.wait_closed()
        assert events.close_code == 4001


async def test_events_resume_where_they_were_left(running, peer):
    token = (await peer.post("/api/tokens", json={"name": "watcher"})).json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}

    async def numbered(events, count):
        found = []
        while len(found) < count:
            message = json.loads(await asyncio.wait_for(events.recv(), 30))
            if message["id"] is not None and message["type"] == "share.changed":
                found.append(message)
        return found

    async with connect(running, bearer) as events:
        hello = json.loads(await events.recv())["data"]
        assert hello["resumed"] is False
        await peer.post("/api/ports/3000/share", json={"mode": "public"})
        (first,) = await numbered(events, 1)
        assert first["data"]["share"]["mode"] == "public"
    await peer.post("/api/ports/3001/share", json={"mode": "public"})
    async with connect(running, bearer, f"{hello['epoch']}:{first['id']}") as events:
        assert json.loads(await events.recv())["data"]["resumed"] is True
        (missed,) = await numbered(events, 1)
        assert missed["data"]["port"] == 3001


async def test_events_can_be_asked_for_now_and_then(peer):
    first = (await peer.get("/api/events")).json()
    assert (first["resumed"], first["events"]) == (False, [])
    await peer.post("/api/ports/3000/share", json={"mode": "public"})
    later = (await peer.get("/api/events", params={"since": f"{first['epoch']}:{first['id']}"})).json()
    assert later["resumed"] is True
    assert "share.changed" in [event["type"] for event in later["events"]]


async def test_a_method_that_is_not_there_is_answered_with_those_that_are(peer):
    for path, methods in (
        ("/api/ports/3000/share", {"GET", "POST", "DELETE"}),
        ("/api/login-links", {"POST"}),
        ("/api/tokens", {"GET", "POST"}),
    ):
        answer = await peer.request("PATCH", path)
        assert answer.status_code == 405
        assert {method.strip() for method in answer.headers["allow"].split(",")} == methods


async def test_an_agent_that_stops_closes_everything_quickly(settings):
    took = []
    while len(took) < 5 and not (took and took[-1] < STOP_S):  # others may have waited for a processor
        async with agent(settings):
            client = over_socket(settings.socket("cli"))
            assert (await client.get("/api/health")).status_code == 200
            started = asyncio.get_running_loop().time()
        took.append(asyncio.get_running_loop().time() - started)
        await client.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert took[-1] < STOP_S, took  # which is for requests under way, and there is none


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b'{"name":', "application/json", "the body is not JSON: Expecting value, at character 8"),
        (b'{"name":"ci"}', "text/plain", "not sent as Content-Type: application/json"),
        (b'["ci"]', "application/json", "the body is not a JSON object"),
        (b'{"name":7}', "application/json", "name: Input should be a valid string"),
    ],
)
async def test_a_body_that_cannot_be_read_is_told_as_such(peer, body, kind, said):
    answer = await peer.post("/api/tokens", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 422
    assert said in answer.json()["detail"]
