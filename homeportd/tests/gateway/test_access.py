"""Who is let in, and what those see who are not."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta

import httpx
import pytest

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "User-Agent": "Mozilla/5.0"}
PART = {
    "Accept": "*/*",
    "User-Agent": "Mozilla/5.0",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
}
PASSWORD = "open sesame"


def basic(password: str, user: str = "anyone") -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


async def decisions(gateway, port: int) -> list[str]:
    return [row["decision"] for row in await gateway.log_of(port)]


# Private


async def test_a_private_port_sends_a_browser_to_the_dashboard_and_back(gateway, dev):
    answer = await gateway.get(dev.port, "/deep/page?q=1&r=a%20b", headers=HTML)
    assert answer.status_code == 302
    assert (
        answer.headers["location"]
        == f"{gateway.origin()}/handoff?port={dev.port}&next=/deep/page%3Fq%3D1%26r%3Da%2520b"
    )
    old = await gateway.get(None, f"/hop?port={dev.port}&next=/deep/page%3Fq%3D1%26r%3Da%2520b")
    assert (old.status_code, gateway.origin() + old.headers["location"]) == (308, answer.headers["location"])
    session = "; ".join(f"{name}={value}" for name, value in (await gateway.log_in()).items())
    handoff = await gateway.get(
        None, answer.headers["location"].removeprefix(gateway.origin()), headers={"Cookie": session}
    )
    enter = handoff.headers["location"].removeprefix(gateway.origin(dev.port))
    back = await gateway.get(dev.port, enter)
    assert (back.status_code, back.headers["location"]) == (303, "/deep/page?q=1&r=a%20b")
    cookie, for_repo = back.headers.get_list("set-cookie")
    assert for_repo.startswith("homeport_owner_repo=")
    assert {"HttpOnly", "SameSite=None", "Secure"} <= set(for_repo.split("; "))
    assert cookie.startswith("homeport_owner=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "domain" not in cookie.lower()
    answer = await gateway.get(dev.port, "/", headers={**HTML, "Cookie": cookie.partition(";")[0]})
    assert answer.status_code == 200
    again = await gateway.get(dev.port, enter, headers=HTML)
    assert again.status_code == 410
    assert "used already" in again.text


async def test_a_private_port_answers_programs_with_what_to_do(gateway, dev):
    answer = await gateway.get(dev.port)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert set(answer.json()) == {"title", "status", "detail", "fix"}
    assert not dev.requests
    token = await gateway.token()
    answer = await gateway.get(dev.port, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_nobody_learns_whether_a_private_port_listens(gateway, dev, vacant):
    for headers in (HTML, PART, {}):
        there = await gateway.get(dev.port, headers=headers)
        nothing = await gateway.get(vacant, headers=headers)
        assert there.status_code == nothing.status_code
        assert {**there.headers, "location": "", "date": ""}.keys() == {
            **nothing.headers,
            "location": "",
            "date": "",
        }.keys()
        assert there.text.replace(str(dev.port), "N") == nothing.text.replace(str(vacant), "N")


async def test_a_tossed_cookie_does_not_lock_the_owner_out(gateway, dev):
    good = await gateway.owner_cookie(dev.port)
    tossed = "; ".join(f"homeport_owner={value}" for value in ("evil", "", "~", "x" * 600, "\xe9~1"))
    header = f"{tossed}; {good}; homeport_owner=last".encode("latin-1")
    assert (await gateway.get(dev.port, headers={"Cookie": header})).status_code == 200


async def test_an_owner_cookie_is_good_at_its_own_port_alone(gateway, dev, vacant):
    cookie = await gateway.owner_cookie(dev.port)
    assert (await gateway.get(vacant, headers={"Cookie": cookie})).status_code == 401


async def test_logging_out_of_the_dashboard_ends_the_ports(gateway, dev):
    link = (await gateway.owner.post("/api/login-links")).json()["url"]
    login = await gateway.get(None, httpx.URL(link).raw_path.decode())
    session = login.headers["set-cookie"].partition(";")[0]
    handoff = await gateway.get(None, f"/handoff?port={dev.port}&next=/", headers={"Cookie": session})
    entered = await gateway.get(dev.port, handoff.headers["location"].removeprefix(gateway.origin(dev.port)))
    cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
    assert (await gateway.get(dev.port, headers=cookie)).status_code == 200
    headers = {"Cookie": session, "Origin": gateway.origin()}
    assert (await gateway.ask("DELETE", None, "/api/session", headers=headers)).status_code == 204
    assert (await gateway.get(dev.port, headers=cookie)).status_code == 401


async def test_the_way_out_forgets_both_cookies(gateway, dev):
    answer = await gateway.get(dev.port, "/.homeport/logout", headers=HTML)
    assert answer.status_code == 200
    assert [line.partition(";")[0] for line in answer.headers.get_list("set-cookie")] == [
        "homeport_share=",
        "homeport_share_repo=",
        "homeport_owner=",
        "homeport_owner_repo=",
    ]


# Password


async def test_the_password_page_works_without_script_and_keeps_the_address(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    page = await gateway.get(dev.port, '/x?y="><b>', headers=HTML)
    assert page.status_code == 401
    assert "<script" not in page.text
    assert "<b>" not in page.text
    assert '<label for="password">' in page.text
    assert "autofocus" in page.text
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy
    assert page.headers["cache-control"] == "no-store"
    assert "www-authenticate" not in page.headers
    wrong = await gateway.ask(
        "POST", dev.port, "/.homeport/password", data={"password": "no", "next": "/x?y=1"}
    )
    assert wrong.status_code == 401
    assert "not the password" in wrong.text
    assert 'value="/x?y=1"' in wrong.text
    right = await gateway.ask(
        "POST", dev.port, "/.homeport/password", data={"password": PASSWORD, "next": "/x?y=1"}
    )
    assert (right.status_code, right.headers["location"]) == (303, "/x?y=1")
    cookie, _ = right.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    answer = await gateway.get(dev.port, "/x", headers={"Cookie": cookie.partition(";")[0]})
    assert answer.status_code == 200
    assert (await decisions(gateway, dev.port))[:4] == [
        "password",
        "login",
        "denied:password",
        "denied:password",
    ]
    assert len(dev.requests) == 1


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "\\\\evil", "/\t/evil.example", "/\r\nX: 1", "",
     "evil", "/%0d%0aX:1\n", "/.homeport/logout", "/\u20ac", "/" + "a" * 4000],
)  # fmt: skip
async def test_no_redirect_leaves_the_origin(gateway, dev, target):
    await gateway.share(dev.port, "password", password=PASSWORD)
    answer = await gateway.ask(
        "POST", dev.port, "/.homeport/password", data={"password": PASSWORD, "next": target}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "x" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_another_site_cannot_send_the_form(gateway, dev, headers):
    await gateway.share(dev.port, "password", password=PASSWORD)
    answer = await gateway.ask(
        "POST", dev.port, "/.homeport/password", data={"password": PASSWORD}, headers=headers
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_form_has_a_limit(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    for content in (b"password=" + b"x" * 10_000, b"a=1&" * 1000):
        answer = await gateway.ask("POST", dev.port, "/.homeport/password", content=content)
        assert answer.status_code in (401, 413)

    async def endless():
        for _ in range(20):
            yield b"x" * 1000

    answer = await gateway.ask("POST", dev.port, "/.homeport/password", content=endless())
    assert answer.status_code == 413


async def test_wrong_passwords_are_limited_by_address_and_the_page_says_when(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    for _ in range(5):
        await gateway.ask("POST", dev.port, "/.homeport/password", data={"password": "no"})
    answer = await gateway.ask("POST", dev.port, "/.homeport/password", data={"password": PASSWORD})
    assert answer.status_code == 429
    assert 800 < int(answer.headers["retry-after"]) <= 900
    assert "15 minutes" in answer.text
    limited = await gateway.get(dev.port, headers=basic(PASSWORD))
    assert limited.status_code == 429
    assert (await decisions(gateway, dev.port))[:2] == ["denied:limit", "denied:limit"]


async def test_scripts_give_the_password_as_basic_with_any_user_name(gateway, dev):
    await gateway.share(dev.port, "password", password="pässword: ö")
    asked = await gateway.get(dev.port)
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic realm=")
    for user in ("", "me", "a b"):
        assert (await gateway.get(dev.port, headers=basic("pässword: ö", user))).status_code == 200
    assert (await gateway.get(dev.port, headers=basic("wrong"))).status_code == 401
    for garbled in ("Basic", "Basic !!!", "Basic " + b64encode(b"no colon").decode(), "Basic \xff", "Bearer"):
        answer = await gateway.get(dev.port, headers={"Authorization": garbled.encode("latin-1")})
        assert answer.status_code == 401


async def test_a_browser_never_shows_its_own_dialog(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    for headers in (HTML, PART, {"User-Agent": "Mozilla/5.0", "Accept": "image/*"}):
        answer = await gateway.get(dev.port, headers=headers)
        assert answer.status_code == 401
        assert "basic" not in answer.headers.get("www-authenticate", "").lower()


async def test_a_change_of_the_share_ends_its_cookies(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD)
    cookie = {"Cookie": await gateway.share_cookie(dev.port)}
    assert (await gateway.get(dev.port, headers=cookie)).status_code == 200
    await gateway.share(dev.port, "password", password="another")
    assert (await gateway.get(dev.port, headers={**cookie, **HTML})).status_code == 401
    assert (await gateway.get(dev.port, headers=basic(PASSWORD))).status_code == 401
    await gateway.unshare(dev.port)
    assert (await gateway.get(dev.port, headers={**cookie, **HTML})).status_code == 302


async def test_a_cookie_of_one_port_is_nothing_at_another(gateway, dev, vacant):
    await gateway.share(dev.port, "password", password=PASSWORD)
    await gateway.share(vacant, "password", password="different")
    cookie = {"Cookie": await gateway.share_cookie(dev.port)}
    assert (await gateway.get(vacant, headers=cookie)).status_code == 401


async def test_uses_run_out(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD, max_uses=1)
    cookie = {"Cookie": await gateway.share_cookie(dev.port)}
    second = await gateway.ask("POST", dev.port, "/.homeport/password", data={"password": PASSWORD})
    assert second.status_code == 403
    assert "used up" in second.text
    assert (await gateway.get(dev.port, headers=cookie)).status_code == 200
    assert (await gateway.get(dev.port, headers=HTML)).status_code == 403


async def test_uses_by_basic_are_counted_by_address(dev, tmp_path, make_gateway):
    async with make_gateway(tmp_path, trusted=("127.0.0.1",)) as gateway:
        await gateway.share(dev.port, "password", password=PASSWORD, max_uses=2)

        async def asks(address: str) -> int:
            headers = {**basic(PASSWORD), "X-Forwarded-For": address}
            return (await gateway.get(dev.port, headers=headers)).status_code

        first = [await asks("203.0.113.1") for _ in range(3)]
        assert first == [200, 200, 200], "one address is one use, however often it asks"
        together = await asyncio.gather(*(asks("2001:db8::1") for _ in range(5)), asks("2001:db8::ffff"))
        assert together == [200] * 6, "an IPv6 /64 is one client"
        assert [await asks(address) for address in ("203.0.113.2", "203.0.113.3")] == [403, 403]
        assert await asks("203.0.113.1") == 200, "who has counted stays in"
        assert "authorization" not in {name.lower() for name, _ in dev.requests[-1].headers}


# Expiry, networks, nobody home


async def test_an_expired_share_says_so(gateway, dev):
    for left_s in (4, 16, 60):  # a pause of this machine may outlast the first
        soon = datetime.now(UTC) + timedelta(seconds=left_s)
        body = {"mode": "password", "password": PASSWORD, "expires": soon.isoformat()}
        await gateway.owner.post(f"/api/ports/{dev.port}/share", json=body)
        answer = await gateway.ask("POST", dev.port, "/.homeport/password", data={"password": PASSWORD})
        if answer.status_code == 303:
            break
        assert datetime.now(UTC) >= soon
    (left,) = re.findall(r"Max-Age=(\d+);", answer.headers.get_list("set-cookie")[0])
    assert 0 <= int(left) < left_s
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    await asyncio.sleep((soon - datetime.now(UTC)).total_seconds() + 0.1)
    page = await gateway.get(dev.port, headers={**HTML, **cookie})
    assert page.status_code == 410
    assert "has ended" in page.text
    assert f"/handoff?port={dev.port}" in page.text
    assert (await gateway.get(dev.port, headers=cookie)).json()["status"] == 410
    assert (await gateway.get(dev.port, headers=basic(PASSWORD))).status_code == 410


async def test_other_networks_stay_outside(gateway, dev):
    await gateway.share(dev.port, allow=["10.0.0.0/8"])
    page = await gateway.get(dev.port, headers=HTML)
    assert page.status_code == 403
    assert "127.0.0.1" in page.text
    assert (await gateway.get(dev.port)).json()["status"] == 403
    owner = {"Cookie": await gateway.owner_cookie(dev.port)}
    assert (await gateway.get(dev.port, headers=owner)).status_code == 200


async def test_a_page_waits_for_a_server_to_start(gateway, dev, vacant):
    await gateway.share(vacant)
    page = await gateway.get(vacant, headers=HTML)
    assert page.status_code == 502
    assert f"Nothing listens on port {vacant} yet" in page.text
    assert '<meta http-equiv="refresh"' in page.text
    assert (await gateway.get(vacant)).json()["detail"].startswith("nothing listens")


async def test_a_server_that_hangs_up_is_named(gateway, dev):
    await gateway.share(dev.port)
    page = await gateway.get(dev.port, "/hang-up", headers=HTML)
    assert page.status_code == 502
    assert "does not answer" in page.text
    answer = await gateway.ask(
        "POST", dev.port, "/hang-up", content=b"x" * 100, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.json()["status"]) == (502, 502)


async def test_a_server_that_just_stopped_is_missed_kindly(gateway, dev):
    await gateway.share(dev.port)
    await dev.close()
    page = await gateway.get(dev.port, headers=HTML)
    assert page.status_code == 502
    assert 'http-equiv="refresh"' in page.text


async def test_the_front_door_is_no_port_of_ours(gateway):
    refused = await gateway.owner.post(f"/api/ports/{gateway.number}/share", json={"mode": "public"})
    assert refused.status_code == 409
    assert (await gateway.get(gateway.number)).status_code == 401
    bearer = {"Authorization": f"Bearer {await gateway.token()}"}
    for headers, said in (
        ({}, "is not served"),
        (HTML, "outside the port ranges"),
    ):  # not that it may come yet
        answer = await gateway.get(gateway.number, headers=bearer | headers)
        assert (answer.status_code, said in answer.text) == (502, True), answer.text


# The agent's end


async def test_without_the_agent_every_port_is_closed(gateway, dev):
    await gateway.share(dev.port)
    assert (await gateway.get(dev.port)).status_code == 200
    seen = len(dev.requests)
    await gateway.stack.aclose()
    for port, path in (
        (dev.port, "/"),
        (dev.port, "/.homeport/password"),
        (None, "/"),
        (None, f"/api/proxy/{dev.port}/"),
    ):
        for headers in (HTML, {}, {"Connection": "Upgrade", "Upgrade": "websocket"}):
            answer = await gateway.get(port, path, headers=headers)
            assert answer.status_code == 503, (port, path)
            assert "Closed" in answer.text
    assert len(dev.requests) == seen
