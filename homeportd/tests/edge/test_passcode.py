"""HTTP tunnels with a passcode, behind the real Traefik."""

from __future__ import annotations

import asyncio

import httpx
import pytest
import websockets
from edge_devserver import serving
from edge_helper import PATIENCE_S, to_port, until, until_async

from homeportd.auth import passwords
from homeportd.auth.limiter import FAILURES
from homeportd.auth.passwords import Passwords
from homeportd.edge.passcodes import Passcodes

BROWSER = {"Accept": "text/html", "User-Agent": "Mozilla/5.0", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture
async def ask(traefik):
    """Ask the name `app`."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{traefik.port}", timeout=PATIENCE_S) as client:

        async def make(path="/", method="GET", **options):
            headers = {"Host": "app.tunnel.localhost:8081", **options.pop("headers", {})}
            return await client.request(method, path, headers=headers, **options)

        yield make


@pytest.fixture
async def client(connect, ask):
    async with serving() as port:
        made = await connect(to_port(port))
        await made.open("http", name="app", host="localhost:3000", passcode="sesame")

        async def guarded():
            return (await ask()).status_code == 401

        await until_async(guarded)
        yield made


async def enter(ask, passcode, **headers):
    return await ask(
        "/.homeport/passcode",
        "POST",
        data={"password": passcode, "next": "/a?b=c"},
        headers={**BROWSER, **headers},
    )


async def test_the_passcode_lets_a_visitor_in(ask, client):
    page = await ask("/a?b=c", headers=BROWSER)
    assert page.status_code == 401
    assert "app.tunnel.localhost:8081" in page.text
    assert 'value="/a?b=c"' in page.text
    assert "www-authenticate" not in page.headers
    wrong = await enter(ask, "nonsense")
    assert (wrong.status_code, "Try again" in wrong.text) == (401, True)
    right = await enter(ask, "sesame", Origin="http://app.tunnel.localhost:8081")
    assert (right.status_code, right.headers["location"]) == (303, "/a?b=c")
    cookie = right.headers["set-cookie"].partition(";")[0]
    seen = (
        await ask(
            headers={"Cookie": f"theirs=1; {cookie}; homeport_share=a", "Authorization": "Bearer theirs"}
        )
    ).json()["headers"]
    assert seen["cookie"] == "theirs=1; homeport_share=a"  # the edge's stays here
    assert seen["authorization"] == "Bearer theirs"
    assert seen["host"] == "localhost:3000"
    # Another passcode ends the cookie, the same one does not.
    await client.open("http", name="app", passcode="sesame")
    assert (await ask(headers={"Cookie": cookie})).status_code == 200
    await client.open("http", name="app", passcode="other")
    assert (await ask(headers={"Cookie": cookie})).status_code == 401


async def test_scripts_use_basic(ask, client):
    answer = await ask()
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert answer.json()["fix"]
    seen = await ask(auth=("", "sesame"))
    assert seen.status_code == 200
    assert "authorization" not in seen.json()["headers"]
    assert (await ask(auth=("", "wrong"))).status_code == 401


@pytest.fixture
async def prove(running, peer, port):
    """Ask as Traefik does, with HTTP Basic; the status."""
    options = {"kind": "http", "name": "app", "passcode": "sesame"}
    id_ = (await peer.post("/api/reservations", json=options)).json()["id"]
    headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "app.tunnel.localhost:8081"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as traefik:

        async def make(passcode):
            url = f"/.homeport/passcode/{id_}"
            return (await traefik.get(url, headers=headers, auth=("", passcode))).status_code

        yield make


async def test_requests_side_by_side_are_one_guess(prove, monkeypatch):
    gate, asked, checked = asyncio.Event(), [], []
    decide, matches = Passcodes.decide, Passwords.matches

    async def counted(*arguments):
        asked.append(arguments)
        return await decide(*arguments)

    async def slowly(*arguments):
        checked.append(arguments)
        await gate.wait()
        return await matches(*arguments)

    monkeypatch.setattr(Passcodes, "decide", counted)
    monkeypatch.setattr(Passwords, "matches", slowly)
    answers = [asyncio.create_task(prove("sesame")) for _ in range(12)]
    await until(lambda: len(asked) == 12)
    gate.set()
    assert await asyncio.gather(*answers) == [200] * 12
    assert len(checked) == 1


async def test_a_guess_that_nobody_could_check_does_not_count(prove, monkeypatch):
    with monkeypatch.context() as busy:
        busy.setattr(passwords, "WAITING", 0)
        assert [await prove("sesame") for _ in range(FAILURES)] == [503] * FAILURES
    assert await prove("sesame") == 200


async def test_guessing_is_limited(ask, client):
    for _ in range(5):
        assert (await enter(ask, "guess")).status_code == 401
    limited = await enter(ask, "sesame")
    assert limited.status_code == 429
    assert int(limited.headers["retry-after"]) > 60
    assert (await ask(auth=("", "sesame"))).status_code == 429


async def test_a_form_of_another_site_is_refused(ask, client):
    assert (await enter(ask, "sesame", Origin="http://evil.example")).status_code == 403
    assert (await enter(ask, "sesame", **{"Sec-Fetch-Site": "cross-site"})).status_code == 403


async def test_websockets_need_it_too(traefik, ask, client):
    url = f"ws://app.tunnel.localhost:{traefik.port}/"
    with pytest.raises(websockets.InvalidStatus) as caught:
        await websockets.connect(url, host="127.0.0.1", proxy=None)
    assert caught.value.response.status_code == 401
    cookie = (await enter(ask, "sesame")).headers["set-cookie"].partition(";")[0]
    headers = {"Cookie": cookie}
    async with websockets.connect(url, host="127.0.0.1", proxy=None, additional_headers=headers) as socket:
        await socket.send("abc")
        assert await socket.recv() == "cba"
        await client.open("http", name="app", passcode="another")
        with pytest.raises(websockets.ConnectionClosed):  # what the passcode opened ends with it
            await socket.recv()


async def test_a_reservation_may_have_one(peer, traefik, connect):
    made = (
        await peer.post("/api/reservations", json={"kind": "http", "name": "kept", "passcode": "abc"})
    ).json()
    assert made["passcode"] is True
    edited = (await peer.put(f"/api/reservations/{made['id']}", json={"allow": ["10.0.0.0/8"]})).json()
    assert edited["passcode"] is True  # left out, it stays
    edited = (await peer.put(f"/api/reservations/{made['id']}", json={"passcode": None})).json()
    assert edited["passcode"] is False
    refused = await peer.post("/api/reservations", json={"kind": "tcp", "passcode": "abc"})
    assert refused.status_code == 422
    tcp = (await peer.post("/api/reservations", json={"kind": "tcp"})).json()["id"]
    refused = await peer.put(f"/api/reservations/{tcp}", json={"passcode": "abc"})
    assert (refused.status_code, "this is TCP" in refused.json()["detail"]) == (409, True)
