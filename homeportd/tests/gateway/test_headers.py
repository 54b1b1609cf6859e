"""What a dev server is told, and what it is never told."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode

import httpx
import pytest

from homeportd.gateway.request import parse_request

HTML = {"Accept": "text/html,application/xhtml+xml", "User-Agent": "Mozilla/5.0"}


def sent(answer: httpx.Response) -> dict[str, list[str]]:
    """The headers that the dev server got, by lower-case name."""
    assert answer.status_code == 200, answer.text
    found: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        found.setdefault(name.lower(), []).append(value)
    return found


async def test_a_dev_server_believes_that_it_was_asked_on_localhost(gateway, dev):
    await gateway.share(dev.port)
    own = gateway.origin(dev.port)
    headers = sent(await gateway.get(dev.port, "/x", headers={"Origin": own, "Referer": own + "/y?z"}))
    assert headers["host"] == [f"localhost:{dev.port}"]
    assert headers["x-forwarded-host"] == [f"localhost:{dev.port}"]
    assert headers["x-forwarded-port"] == [str(dev.port)]
    assert headers["x-forwarded-proto"] == ["http"]
    assert headers["origin"] == [f"http://localhost:{dev.port}"]
    assert headers["referer"] == [f"http://localhost:{dev.port}/y?z"]
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert "via" not in headers


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://9999.localhost:8080", ""])
async def test_a_foreign_origin_stays_foreign(gateway, dev, origin):
    await gateway.share(dev.port)
    headers = sent(await gateway.get(dev.port, "/", headers={"Origin": origin}))
    assert headers.get("origin", [""]) == [origin]


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_a_visitor_cannot_speak_for_the_proxy(gateway, dev, accept):
    await gateway.share(dev.port, allow=["127.0.0.0/8"])
    spoofed = {
        "X-Forwarded-For": "8.8.8.8",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "X-Forwarded-Method": "DELETE",
        "X-Forwarded-Uri": "/elsewhere",
        "Forwarded": "for=8.8.8.8",
        "X-Real-Ip": "8.8.8.8",
        "X-Homeport-Port": "1",
        "X-Homeport-Client": "8.8.8.8",
        "X-Homeport-Upstream": "127.0.0.1:1",
        "X-Homeport-Lane": "direct",
        "X-Homeport-Grant": "owner:x",
        "X-Homeport-Kind": "silent",
        "x-homeport-anything": "x",
    }
    headers = sent(await gateway.get(dev.port, "/mine", headers={**spoofed, "Accept": accept}))
    assert headers["x-forwarded-for"] == ["127.0.0.1"]
    assert headers["x-forwarded-host"] == [f"localhost:{dev.port}"]
    assert headers["x-forwarded-proto"] == ["http"]
    assert not [
        name for name in headers if name.startswith("x-homeport") or name in ("forwarded", "x-real-ip")
    ]
    assert not [
        name for name in headers if name in ("x-forwarded-prefix", "x-forwarded-method", "x-forwarded-uri")
    ]
    (row,) = await gateway.log_of(dev.port)
    assert (row["address"], row["method"], row["path"]) == ("127.0.0.1", "GET", "/mine")


async def test_the_cookies_of_the_app_arrive_and_ours_do_not(gateway, dev):
    await gateway.share(dev.port, "password", password="open sesame")
    ours = await gateway.share_cookie(dev.port)
    noise = "a=1; homeport_session=dash; b=x=y; homeport_owner=no; c={env.SECRET}; __Host-homeport_owner=z; d=\xe9"
    headers = sent(await gateway.get(dev.port, "/", headers={"Cookie": f"{noise}; {ours}".encode("latin-1")}))
    assert headers["cookie"] == ["a=1; b=x=y; c={env.SECRET}; d=\xe9"]
    headers = sent(await gateway.get(dev.port, "/", headers={"Cookie": ours}))
    assert "cookie" not in headers


async def test_the_authorization_of_the_app_arrives_and_ours_does_not(gateway, dev):
    await gateway.share(dev.port)
    app = "Basic " + b64encode(b"me:secret of the app").decode()
    assert sent(await gateway.get(dev.port, "/", headers={"Authorization": app}))["authorization"] == [app]
    token = await gateway.token()
    assert "authorization" not in sent(
        await gateway.get(dev.port, "/", headers={"Authorization": f"Bearer {token}"})
    )
    gone = {"Authorization": "Bearer hp_revoked-long-ago"}
    assert "authorization" not in sent(await gateway.get(dev.port, "/", headers=gone))
    other = {"Authorization": "Bearer eyJ.the.app"}
    assert sent(await gateway.get(dev.port, "/", headers=other))["authorization"] == ["Bearer eyJ.the.app"]

    await gateway.share(dev.port, "password", password="open sesame")
    ours = {"Authorization": "Basic " + b64encode(b"anyone:open sesame").decode()}
    assert "authorization" not in sent(await gateway.get(dev.port, "/", headers=ours))
    cookie = await gateway.share_cookie(dev.port)
    headers = sent(await gateway.get(dev.port, "/", headers={"Cookie": cookie, "Authorization": app}))
    assert headers["authorization"] == [app]
    assert "authorization" not in sent(await gateway.get(dev.port, "/", headers={"Cookie": cookie, **ours}))


@pytest.mark.parametrize(
    "path",
    [
        "/a%20b/c%2Fd?x=%26&y=%20",
        "/%E2%82%AC",
        "//double//slash",
        "/a/../b",
        "/?",
        "/;p=1",
        "/%7Bre.port.1%7D",
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_addresses_arrive_as_they_were_written(gateway, dev, path, accept):
    await gateway.share(dev.port)
    answer = await raw(
        gateway, f"GET {path} HTTP/1.1\r\nHost: {gateway.host(dev.port)}\r\nAccept: {accept}\r\n\r\n"
    )
    assert answer["target"] == path


async def raw(gateway, head: str) -> dict[str, object]:
    """Send a head as it is, and read the JSON answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    writer.write(head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    body = data.partition(b"\r\n\r\n")[2]
    return dict(json.loads(body[body.index(b"{") : body.rindex(b"}") + 1]))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
async def test_redirects_lead_back_to_the_public_origin(gateway, dev, host):
    await gateway.share(dev.port)
    for path in ("/about?x=1", ""):
        answer = await gateway.get(dev.port, f"/redirect?to=http://{host}:{dev.port}{path}")
        assert answer.headers["location"] == gateway.origin(dev.port) + path


@pytest.mark.parametrize(
    "target", ["/about", "https://elsewhere.example/", "http://localhost.evil.example:1/"]
)
async def test_other_redirects_stay(gateway, dev, target):
    await gateway.share(dev.port)
    assert (await gateway.get(dev.port, f"/redirect?to={target}")).headers["location"] == target
    longer = f"http://localhost:{dev.port}0/"
    assert (await gateway.get(dev.port, f"/redirect?to={longer}")).headers["location"] == longer


def test_the_caddyfile_of_the_release_before_is_understood():
    headers = [(b"x-homeport-port", b"3000"), (b"x-homeport-client", b"::1"), (b"x-homeport-door", b"api")]
    assert parse_request(headers).kind == "api"
    assert parse_request([*headers, (b"x-homeport-kind", b"port")]).kind == "port"
