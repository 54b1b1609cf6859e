"""Cookies that a neighbouring origin has set in the owner's browser: they take no right from anybody."""

from __future__ import annotations

from contextlib import closing
from http.client import HTTPConnection

import pytest

PASSWORD = "open sesame"
HTML = {"Accept": "text/html", "User-Agent": "Mozilla/5.0"}
LARGE = "; ".join(f"tossed{number}={'x' * 4000}" for number in range(50))


def tossed(name: str, like: str, number: int = 300) -> str:
    """Cookies of one of our names, some of them shaped as ours are."""
    return "; ".join(f"{name}={like[:-4]}{n:04}" if n % 2 else f"{name}=evil{n}" for n in range(number))


async def test_the_owner_stays_logged_in_to_the_dashboard(gateway, dev):
    ((name, value),) = (await gateway.log_in()).items()
    for cookie in (
        f"{tossed(name, value)}; {name}={value}",
        f"{name}={value}; {tossed(name, value)}",
        f"{LARGE}; {name}={value}",
    ):
        headers = {"Cookie": cookie}
        assert (await gateway.get(None, "/api/session", headers=headers)).status_code == 200
        handoff = await gateway.get(None, f"/handoff?port={dev.port}", headers=headers)
        assert "/.homeport/enter?code=" in handoff.headers["location"]


@pytest.mark.parametrize("proof", ["owner", "share"])
async def test_a_right_at_a_port_is_found_among_them(gateway, dev, proof):
    await gateway.share(dev.port, "password", password=PASSWORD)
    good = await (
        gateway.owner_cookie(dev.port) if proof == "owner" else gateway.share_cookie(dev.port, PASSWORD)
    )
    name, _, value = good.partition("=")
    for cookie in (f"{tossed(name, value)}; {good}; a=1", f"a=1; {good}; {tossed(name, value)}"):
        answer = await gateway.get(dev.port, headers={"Cookie": cookie})
        assert answer.status_code == 200
        assert dev.requests[-1].value("cookie") == "a=1"


async def test_more_cookies_than_a_server_takes_have_a_way_out(gateway, dev):
    good = await gateway.owner_cookie(dev.port)
    page = await gateway.get(dev.port, headers={**HTML, "Cookie": f"{LARGE}; {good}"})
    assert page.status_code == 431
    assert 'action="/.homeport/cookies"' in page.text
    program = await gateway.get(dev.port, headers={"Cookie": f"{LARGE}; {good}"})
    assert program.json()["fix"].startswith(f"open {gateway.origin(dev.port)}/.homeport/cookies")
    assert not dev.requests
    asked = await gateway.get(dev.port, "/.homeport/cookies", headers={"Cookie": LARGE})
    assert (asked.status_code, 'method="post"' in asked.text) == (200, True)
    forged = {"Cookie": LARGE, "Origin": "http://evil.example"}
    assert (await gateway.ask("POST", dev.port, "/.homeport/cookies", headers=forged)).status_code == 403
    done = await gateway.ask("POST", dev.port, "/.homeport/cookies", headers={"Cookie": f"{LARGE}; {good}"})
    assert (done.status_code, done.headers["clear-site-data"]) == (200, '"cookies"')
    deleted = {line.partition("=")[0] for line in done.headers.get_list("set-cookie")}
    assert deleted == {"homeport_owner"} | {f"tossed{n}" for n in range(50)}
    assert f"tossed0=; Path=/; Max-Age=0; Domain={dev.port}.localhost" in done.headers.get_list("set-cookie")


async def test_a_megabyte_is_where_it_ends(gateway, dev):
    with closing(HTTPConnection("127.0.0.1", gateway.number)) as connection:
        connection.request(
            "GET", "/", headers={"Host": gateway.host(dev.port), "Cookie": "a=" + "x" * (1 << 21)}
        )
        assert connection.getresponse().status == 431
