"""The visitor's address, behind a proxy that is trusted, and behind one that is not; https in front."""

from __future__ import annotations

import pytest

TRUSTED = ("127.0.0.1/32",)
PASSWORD = "open sesame"


@pytest.fixture
async def behind(dev, tmp_path, make_gateway):
    """A gateway behind a proxy that it trusts, with https and one-level names."""
    async with make_gateway(tmp_path, pattern="https://{port}-dev.example.com", trusted=TRUSTED) as made:
        yield made


def at(port: int | None, forwarded: str, **headers: str) -> dict[str, str]:
    host = f"{port}-dev.example.com" if port else "dev.example.com"
    return {"Host": host, "X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https", **headers}


@pytest.mark.parametrize(
    ("forwarded", "status"),
    [
        ("203.0.113.7", 200),
        ("8.8.8.8", 403),
        ("203.0.113.7, 8.8.8.8", 403),  # the left part is the visitor's own word
        ("8.8.8.8, 203.0.113.7", 200),
        ("8.8.8.8, 203.0.113.7, 127.0.0.1", 200),
        ("::ffff:203.0.113.7", 200),
        ("garbage", 403),
        ("", 403),
    ],
)
async def test_networks_are_those_of_the_real_visitor(behind, dev, forwarded, status):
    await behind.share(dev.port, allow=["203.0.113.0/24"])
    answer = await behind.client.get(behind.base, headers=at(dev.port, forwarded))
    assert answer.status_code == status
    if status == 200:
        sent = {name.lower(): value for name, value in answer.json()["headers"]}
        assert sent["x-forwarded-for"].endswith("203.0.113.7")
        # One origin with Origin and Referer, which are http://localhost:PORT.
        assert sent["x-forwarded-proto"] == "http"
        assert sent["x-forwarded-host"] == f"localhost:{dev.port}"


async def test_attempts_are_counted_by_the_real_address(behind, dev):
    await behind.share(dev.port, "password", password=PASSWORD)
    url = behind.base + "/.homeport/password"
    for number in range(5):
        forwarded = f"10.0.0.{number}, 203.0.113.7"
        await behind.client.post(url, data={"password": "no"}, headers=at(dev.port, forwarded))
    right = {"password": PASSWORD}
    assert (await behind.client.post(url, data=right, headers=at(dev.port, "203.0.113.7"))).status_code == 429
    answer = await behind.client.post(url, data=right, headers=at(dev.port, "203.0.113.8"))
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-homeport_share=")
    assert "Secure" in cookie
    assert answer.headers["location"] == "/"
    unprefixed = cookie.partition(";")[0].removeprefix("__Host-")
    for value, status in ((cookie.partition(";")[0], 200), (unprefixed, 401)):
        asked = await behind.client.get(behind.base, headers=at(dev.port, "203.0.113.9", Cookie=value))
        assert asked.status_code == status


async def test_https_names_lead_where_they_should(behind, dev):
    await behind.share(dev.port)
    answer = await behind.client.get(behind.base + "/5173/x", headers=at(None, "203.0.113.7"))
    assert answer.headers["location"] == "https://5173-dev.example.com/x"
    headers = at(dev.port, "203.0.113.7", Origin=f"https://{dev.port}-dev.example.com")
    answer = await behind.client.get(
        behind.base + f"/redirect?to=https://localhost:{dev.port}/x", headers=headers
    )
    assert answer.headers["location"] == f"https://{dev.port}-dev.example.com/x"
    sent = {name.lower(): value for name, value in answer.json()["headers"]}
    assert sent["origin"] == f"http://localhost:{dev.port}"
    for host in ("3000.dev.example.com", "3000-devxexample.com", "x-dev.example.com", "localhost"):
        assert (await behind.client.get(behind.base, headers={"Host": host})).status_code == 421


async def test_without_trust_a_forwarded_address_is_worth_nothing(gateway, dev):
    await gateway.share(dev.port, allow=["203.0.113.0/24"])
    answer = await gateway.get(dev.port, headers={"X-Forwarded-For": "203.0.113.7"})
    assert answer.status_code == 403
