"""Names below a port's own, `foo.4210.localhost`: an option of its share, by the real Caddy."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import pytest

from homeportd.gateway.origin_mapping import below, label_of
from homeportd.origin import Origin
from homeportd.shares.subdomains import refusal

PASSWORD = "open sesame"
UPGRADE = {"Connection": "Upgrade", "Upgrade": "echo"}


def at(gateway, port: int, label: str = "foo") -> str:
    """The Host of a name below a port's own."""
    return f"{label}.{gateway.host(port)}"


async def ask(gateway, host: str, path: str = "/", method: str = "GET", **headers: str):
    return await gateway.client.request(method, gateway.base + path, headers={"Host": host, **headers})


def sent(answer) -> dict[str, str]:
    """The headers that the dev server got."""
    assert answer.status_code == 200, answer.text
    return {name.lower(): value for name, value in answer.json()["headers"]}


async def upgrade(gateway, host: str, **headers: str) -> int:
    """The status of an upgrade; its connection echoes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    lines = [f"{name}: {value}" for name, value in {"Host": host, **UPGRADE, **headers}.items()]
    writer.write("\r\n".join(["GET /echo-raw HTTP/1.1", *lines, "", ""]).encode())
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split()[1])
        if status == 101:
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
    writer.close()
    return status


@pytest.mark.parametrize(
    ("host_header", "base"),
    [
        ("localhost", "localhost:{dev}"),
        ("keep", "{dev}.localhost:{number}"),
        ("Shop.test:3000", "shop.test:3000"),
    ],
)
async def test_the_server_sees_one_origin_below_its_own(gateway, dev, host_header, base):
    base = base.format(dev=dev.port, number=gateway.number)
    share = await gateway.share(dev.port, host_header=host_header, subdomains=True)
    assert share["subdomains"] is True
    host = at(gateway, dev.port)
    for accept in ("*/*", "text/event-stream"):
        told = sent(
            await ask(
                gateway,
                host,
                Accept=accept,
                Origin=f"http://{host}",
                Referer=f"http://{at(gateway, dev.port, 'bar')}/x",
            )
        )
        assert (told["host"], told["x-forwarded-host"]) == (f"foo.{base}", f"foo.{base}")
        assert told["origin"] == f"http://foo.{base}"
        assert told["referer"] == f"http://bar.{base}/x"
    assert sent(await gateway.get(dev.port))["host"] == base
    # The way back, from each of its names to each.
    for asked in (host, gateway.host(dev.port)):
        for label in ("", "foo.", "bar."):
            lines = {
                "Location": (f"http://{label}{base}/x", f"http://{label}{gateway.host(dev.port)}/x"),
                "Access-Control-Allow-Origin": (
                    f"http://{label}{base}", f"http://{label}{gateway.host(dev.port)}",
                ),
            }  # fmt: skip
            path = "/?" + urlencode([("header", f"{name}: {said}") for name, (said, _) in lines.items()])
            answer = await ask(gateway, asked, path)
            for name, (_, wanted) in lines.items():
                assert answer.headers[name] == wanted, (asked, label)
    assert await upgrade(gateway, host, Origin=f"http://{host}") == 101


async def test_other_names_lead_nowhere(gateway, dev, vacant):
    host = at(gateway, dev.port)
    owner = await gateway.owner_cookie(dev.port)
    for shared in (False, True):
        if shared:
            await gateway.share(dev.port)  # without the option
        assert (await ask(gateway, host, Cookie=owner)).status_code == 421
        assert await upgrade(gateway, host, Cookie=owner, Origin=f"http://{host}") == 421
        answer = await ask(gateway, host, "/.homeport/password", Accept="text/html")
        assert answer.status_code == 421
    await gateway.share(dev.port, subdomains=True)
    assert (await ask(gateway, host)).status_code == 200
    for other in (at(gateway, vacant), f"a.{host}", f"-.{host}", f"foo.{gateway.host()}"):
        assert (await ask(gateway, other, Cookie=owner)).status_code == 421, other
    # A visitor's own word on the label counts for nothing.
    told = sent(await gateway.get(dev.port, headers={"X-Homeport-Label": "foo."}))
    assert told["host"] == f"localhost:{dev.port}"
    await gateway.share(dev.port)
    assert (await ask(gateway, host)).status_code == 421
    await gateway.share(dev.port, subdomains=True)
    await gateway.unshare(dev.port)
    assert (await ask(gateway, host, Cookie=owner)).status_code == 421


async def test_a_password_opens_every_name_of_the_share(gateway, dev):
    await gateway.share(dev.port, "password", password=PASSWORD, subdomains=True)
    host, other = at(gateway, dev.port), at(gateway, dev.port, "bar")
    page = await ask(gateway, host, Accept="text/html")
    assert page.status_code == 401
    assert "/.homeport/password" in page.text
    entered = await gateway.client.post(
        f"{gateway.base}/.homeport/password",
        data={"password": PASSWORD, "next": "/x"},
        headers={"Host": host, "Origin": f"http://{host}"},
    )
    assert (entered.status_code, entered.headers["location"]) == (303, "/x")
    value, _, attributes = entered.headers.get_list("set-cookie")[0].partition("; ")
    assert f"Domain={dev.port}.localhost" in attributes
    own = gateway.host(dev.port)
    for each in (host, other, own):
        assert (await ask(gateway, each, Cookie=value)).status_code == 200
        # Pages of each may use the right at each.
        for page in (host, other, own):
            answer = await ask(gateway, each, "/", "POST", Cookie=value, Origin=f"http://{page}")
            assert answer.status_code == 200, (each, page)
        assert await upgrade(gateway, each, Cookie=value, Origin=f"http://{host}") == 101
        asked = {"Origin": f"http://{host}", "Access-Control-Request-Method": "PUT"}
        assert (await ask(gateway, each, method="OPTIONS", **asked)).status_code == 204
        for foreign in ("http://evil.example", f"http://foo.{gateway.host()}", f"http://foo.x.{own}"):
            refused = await ask(gateway, each, "/", "POST", Cookie=value, Origin=foreign)
            assert refused.status_code == 403, foreign
            assert await upgrade(gateway, each, Cookie=value, Origin=foreign) == 403


async def test_the_owner_is_handed_off_to_the_name(gateway, dev):
    await gateway.share(dev.port, "private", subdomains=True)
    host = at(gateway, dev.port)
    asked = await ask(gateway, host, "/x?y=1", Accept="text/html")
    assert asked.status_code == 302
    session = "; ".join(f"{name}={value}" for name, value in (await gateway.log_in()).items())
    path = asked.headers["location"].removeprefix(gateway.origin())
    handed = await ask(gateway, gateway.host(), path, Cookie=session)
    assert handed.headers["location"].startswith(f"http://{host}/.homeport/enter?")
    entered = await ask(gateway, host, handed.headers["location"].removeprefix(f"http://{host}"))
    assert (entered.status_code, entered.headers["location"]) == (303, "/x?y=1")
    cookie = entered.headers["set-cookie"].partition(";")[0]
    for each in (host, at(gateway, dev.port, "bar"), gateway.host(dev.port)):
        assert (await ask(gateway, each, Cookie=cookie)).status_code == 200
    out = await ask(gateway, host, "/.homeport/logout")
    gone = out.headers.get_list("set-cookie")
    assert sum(f"Domain={dev.port}.localhost" in line for line in gone) == 2 == len(gone) - 4


async def test_what_a_certificate_cannot_cover_is_refused(tmp_path, make_gateway, dev):
    async with make_gateway(tmp_path, pattern="https://{port}-dev.localhost:{number}") as gateway:
        body = {"mode": "public", "subdomains": True}
        answer = await gateway.owner.post(f"/api/ports/{dev.port}/share", json=body)
        assert answer.status_code == 422
        assert f"foo.{dev.port}-dev.localhost" in answer.json()["detail"]
        assert f"homeport http {dev.port} --subdomains" in answer.json()["fix"]
        assert (await gateway.owner.get(f"/api/ports/{dev.port}/share")).status_code == 404
    assert await refusal(Origin("http://{port}.example.com"), 4210) is None


def test_labels():
    own = "http://4210.localhost:8080"
    assert label_of("http://foo.4210.localhost:8080", own) == "foo"
    for other in (own, "http://a.b.4210.localhost:8080", "https://foo.4210.localhost:8080", "http://.4210.localhost:8080",
                  "http://foo.4210.localhost", "http://x@foo.4210.localhost:8080", "null", ""):  # fmt: skip
        assert label_of(other, own) is None
    assert below("http://localhost:4210", "foo") == "http://foo.localhost:4210"
    for address in ("http://127.0.0.1:80", "http://[::1]:80"):
        assert below(address, "foo") == address
