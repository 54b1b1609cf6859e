"""Which names lead where: ports, the dashboard, the short addresses, the API's proxy, and everything else."""

from __future__ import annotations

import pytest

HTML = {"Accept": "text/html", "User-Agent": "Mozilla/5.0"}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "0.localhost", "65536.localhost", "99999.localhost", "03000.localhost",
     "3000.localhost.evil.example", "x3000.localhost", "3000xlocalhost", "3000.localhost.",
     "localhost.", "3000-localhost", "10.0.0.1"],
)  # fmt: skip
async def test_an_unknown_name_is_misdirected(gateway, host):
    answer = await gateway.client.get(gateway.base, headers={"Host": host})
    assert answer.status_code == 421
    assert gateway.origin() in answer.text


@pytest.mark.parametrize("host", ["3000.LocalHost", "3000.localhost", "3000.localhost:1"])
async def test_names_have_no_case_and_any_port(gateway, host):
    assert (await gateway.client.get(gateway.base, headers={"Host": host})).status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_an_address_leads_to_the_dashboard(gateway, host):
    headers = {"Host": f"{host}:{gateway.number}"}
    answer = await gateway.client.get(gateway.base + "/x", headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (307, gateway.origin() + "/")
    assert (await gateway.client.post(gateway.base + "/x", headers=headers)).status_code == 421


@pytest.mark.parametrize(
    ("path", "there"),
    [("/5173", "/"), ("/5173/", "/"), ("/5173/a%20b/c%2Fd?x=1&y=%26", "/a%20b/c%2Fd?x=1&y=%26"),
     ("/5173//evil.example/", "/evil.example/"), ("/5173?x", "/?x"), ("/5173/@evil.example", "/@evil.example")],
)  # fmt: skip
async def test_the_short_address_of_a_port_leads_to_its_origin(gateway, path, there):
    answer = await gateway.get(None, path)
    assert (answer.status_code, answer.headers["location"]) == (307, gateway.origin(5173) + there)


@pytest.mark.parametrize("path", ["/0", "/65536", "/5173x", "/5173@evil.example", "/x/5173"])
async def test_other_addresses_are_the_dashboard(gateway, path):
    assert (await gateway.get(None, path)).status_code in (200, 404, 503)


async def test_the_dashboard_may_not_be_framed(gateway):
    headers = (await gateway.get(None, "/")).headers
    assert headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


async def test_the_proxy_of_the_api_wants_a_token_and_gives_a_sandbox(gateway, dev):
    await gateway.share(dev.port)
    path = f"/api/proxy/{dev.port}"
    session = "; ".join(f"{name}={value}" for name, value in (await gateway.log_in()).items())
    owner = await gateway.owner_cookie(dev.port)
    for cookie in (session, owner):
        answer = await gateway.get(None, path + "/x", headers={"Cookie": cookie, **HTML})
        assert answer.status_code == 401
        assert answer.json()["fix"]
    token = {"Authorization": f"Bearer {await gateway.token()}"}
    answer = await gateway.get(
        None, path + "/a%20b/c%2Fd?q=1", headers={**token, "Cookie": f"a=1; {session}"}
    )
    assert answer.json()["target"] == "/a%20b/c%2Fd?q=1"
    sent = {name.lower(): value for name, value in answer.json()["headers"]}
    assert sent["host"] == f"localhost:{dev.port}"
    assert sent["cookie"] == "a=1"
    assert dev.requests[0].headers == [tuple(pair) for pair in answer.json()["headers"]]
    assert "authorization" not in sent
    assert answer.headers["content-security-policy"] == "sandbox"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await gateway.get(None, path, headers=token)).json()["target"] == "/"
    answer = await gateway.get(None, path + "/cookies", headers=token)
    assert "set-cookie" not in answer.headers
    assert "service-worker-allowed" not in answer.headers
    headers = {"Host": gateway.host(), **token}
    async with gateway.client.stream("GET", f"{gateway.base}{path}/events", headers=headers) as stream:
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["content-security-policy"] == "sandbox"
        events = stream.aiter_raw()
        assert (await anext(events)).startswith(b"data:")
        await dev.streams_become(1)  # the one through the relay; the first was dropped
    answer = await gateway.get(None, f"{path}/redirect?to=http://localhost:{dev.port}/x", headers=token)
    assert answer.headers["location"] == f"{gateway.origin()}{path}/x"
