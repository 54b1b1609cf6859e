"""One origin of a port for its dev server and another for its visitors, and the mapping between them both ways."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import psutil
import pytest

from homeportd.gateway import own_names
from homeportd.gateway.host_advice import look
from homeportd.gateway.origin_mapping import cookie_domains, origin_of_url, port_of

HTTPS = "https://{port}-dev.example.com"


def sent(answer) -> dict[str, str]:
    """The headers that the dev server got."""
    assert answer.status_code == 200, answer.text
    return {name.lower(): value for name, value in answer.json()["headers"]}


def answer_with(**headers: str) -> str:
    """The path of an answer with these headers."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "/?" + urlencode([("header", line) for line in lines])


async def test_behind_https_the_dev_server_is_told_one_origin(dev, tmp_path, make_gateway):
    async with make_gateway(tmp_path, pattern=HTTPS) as gateway:
        await gateway.share(dev.port)
        host = f"{dev.port}-dev.example.com"
        for accept in ("*/*", "text/event-stream"):
            headers = {
                "Host": host, "Origin": f"https://{host}", "Referer": f"https://{host}/a?b=https://{host}/",
                "X-Forwarded-Proto": "https", "X-Forwarded-Port": "443", "Accept": accept,
            }  # fmt: skip
            told = sent(await gateway.client.get(gateway.base, headers=headers))
            local = f"localhost:{dev.port}"
            assert (told["host"], told["x-forwarded-host"]) == (local, local)
            assert (told["x-forwarded-proto"], told["x-forwarded-port"]) == ("http", str(dev.port))
            assert told["origin"] == f"http://{local}"
            assert told["referer"] == f"http://{local}/a?b=https://{host}/"


@pytest.mark.parametrize(
    "referer",
    ["https://evil.example/x", "http://{host}.evil.example/", "http://x@{host}/", "{host}", "//{host}/",
     "http://{host}0/", "http://9999.localhost:8080/", "https://{host}/"],
)  # fmt: skip
async def test_a_foreign_referer_stays_foreign(gateway, dev, referer):
    await gateway.share(dev.port)
    referer = referer.format(host=gateway.host(dev.port))
    assert sent(await gateway.get(dev.port, headers={"Referer": referer}))["referer"] == referer


async def test_a_forwarded_front_port_is_an_own_origin_too(gateway, dev):
    """`ssh -L 9000:localhost:8080`: the browser's origin has the number 9000."""
    await gateway.share(dev.port)
    host = f"{dev.port}.localhost:9000"
    headers = {"Host": host, "Origin": f"http://{host}", "Referer": f"http://{host}/x"}
    told = sent(await gateway.client.get(gateway.base, headers=headers))
    assert (told["origin"], told["referer"]) == (
        f"http://localhost:{dev.port}", f"http://localhost:{dev.port}/x",
    )  # fmt: skip


def ways_back(local: str, public: str) -> list[tuple[str, str, str | None]]:
    """(Header, what the dev server says, what the visitor gets); `local`, `public`: origins, without http://."""
    number = local.rpartition(":")[2]
    machine = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family == socket.AF_INET
    ]
    names = [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.0.1.1",
        "[::1]",
        "[::]",
        "0.0.0.0",
        socket.gethostname(),
    ]
    table = [
        ("Location", f"http://{name}:{number}/x?y#z", f"http://{public}/x?y#z") for name in names + machine
    ]
    table += [
        ("Location", f"https://{local}", f"http://{public}"),
        ("Location", f"//{local}/x", f"http://{public}/x"),
        ("Location", f"http://{local}?x", f"http://{public}?x"),
        ("Location", "/x", "/x"),
        ("Location", f"/login?next=http://{local}/x", f"/login?next=http://{local}/x"),
        ("Location", f"http://{local}0/", f"http://{local}0/"),
        ("Location", f"http://{local}.evil.example/", f"http://{local}.evil.example/"),
        ("Location", f"http://{local}@evil.example/", f"http://{local}@evil.example/"),
        ("Location", "http://localhost/", "http://localhost/"),
        ("Location", f"http://203.0.113.9:{number}/", f"http://203.0.113.9:{number}/"),
        ("Content-Location", f"http://{local}/x", f"http://{public}/x"),
        ("Refresh", f"5; url=http://{local}/x", f"5; url=http://{public}/x"),
        ("Refresh", f"0;URL='http://127.0.0.1:{number}/x'", f"0;URL='http://{public}/x'"),
        ("Refresh", f"0; http://{local}", f"0; http://{public}"),
        ("Refresh", "5; url=/x", "5; url=/x"),
        ("Refresh", "5", "5"),
        ("Link", f'<http://{local}/2>; rel="next", <http://0.0.0.0:{number}>; rel="last", </x>; rel="up"',
         f'<http://{public}/2>; rel="next", <http://{public}>; rel="last", </x>; rel="up"'),
        ("Link", f"<https://cdn.example/?u=http://{local}/>", f"<https://cdn.example/?u=http://{local}/>"),
        ("Access-Control-Allow-Origin", f"http://{local}", f"http://{public}"),
        ("Access-Control-Allow-Origin", f"http://127.0.0.1:{number}", f"http://{public}"),
        ("Access-Control-Allow-Origin", "*", "*"),
        ("Access-Control-Allow-Origin", "null", "null"),
        ("Access-Control-Allow-Origin", "https://evil.example", "https://evil.example"),
        ("Set-Cookie", "a=b; Domain=localhost; Path=/; HttpOnly", "a=b; Path=/; HttpOnly"),
        ("Set-Cookie", "a=b;domain=.LocalHost", "a=b"),
        ("Set-Cookie", "a=b; Path=/; Domain=127.0.0.1; SameSite=Lax", "a=b; Path=/; SameSite=Lax"),
        ("Set-Cookie", "a=b; Domain=[::1]", "a=b"),
        ("Set-Cookie", "a=b; Domain=::1; Secure", "a=b; Secure"),
        ("Set-Cookie", f"a=b; Domain={local}", "a=b"),
        ("Set-Cookie", "a=b; Domain=example.com; Path=/", "a=b; Domain=example.com; Path=/"),
        ("Set-Cookie", "domain=localhost; Path=/", "domain=localhost; Path=/"),
    ]  # fmt: skip
    return table


async def upgraded(gateway, port: int, path: str) -> dict[str, list[str]]:
    """The headers of the 101 for an upgrade of a port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    head = f"GET /echo-raw{path[1:]} HTTP/1.1\r\nHost: {gateway.host(port)}\r\n"
    writer.write(f"{head}Connection: Upgrade\r\nUpgrade: echo\r\n\r\n".encode())
    answer = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    writer.close()
    assert answer[0].startswith("HTTP/1.1 101"), answer
    found: dict[str, list[str]] = {}
    for line in answer[1:-2]:
        name, _, value = line.partition(": ")
        found.setdefault(name.lower(), []).append(value)
    return found


async def test_what_an_answer_says_of_the_server_it_says_of_the_public_origin(gateway, dev):
    await gateway.share(dev.port)
    local, public = f"localhost:{dev.port}", gateway.host(dev.port)
    for name, said, expected in ways_back(local, public):
        path = answer_with(**{name.replace("-", "_"): said})
        for accept in ("*/*", "text/event-stream"):
            answer = await gateway.get(dev.port, path, headers={"Accept": accept})
            assert answer.headers.get(name) == expected, (name, said, accept)
        assert (await upgraded(gateway, dev.port, path))[name.lower()] == [expected], said
    stream = f"/events?{urlencode([('header', 'Set-Cookie: a=b; Domain=localhost')])}"
    async with gateway.client.stream(
        "GET", gateway.base + stream, headers={"Host": gateway.host(dev.port)}
    ) as answer:  # asked for again through the relay
        assert answer.headers["set-cookie"] == "a=b"


async def test_below_api_proxy_nothing_acts_on_the_dashboards_origin(gateway, dev):
    token = {"Authorization": f"Bearer {await gateway.token()}"}
    path = f"/api/proxy/{dev.port}"
    acting = {
        "Access_Control_Allow_Origin": "*", "Access_Control_Allow_Credentials": "true", "Clear_Site_Data": '"*"',
        "Strict_Transport_Security": "max-age=1; includeSubDomains", "Alt_Svc": 'h3=":1"', "Set_Cookie": "a=b",
        "Access_Control_Expose_Headers": "*", "NEL": "{}", "Reporting_Endpoints": 'a="https://evil.example"',
        "Location": f"http://127.0.0.1:{dev.port}/x", "Link": f"<http://localhost:{dev.port}/y>",
    }  # fmt: skip
    for accept in ("*/*", "text/event-stream"):
        answer = await gateway.get(None, path + answer_with(**acting), headers={**token, "Accept": accept})
        assert answer.status_code == 200
        assert not {name.replace("_", "-").lower() for name in list(acting)[:-2]} & set(answer.headers)
        assert answer.headers["location"] == f"{gateway.origin()}{path}/x"
        assert answer.headers["link"] == f"<{gateway.origin()}{path}/y>"
        assert answer.headers["content-security-policy"] == "sandbox"
    own = {"Origin": gateway.origin(), "Referer": f"{gateway.origin()}{path}/z"}
    told = sent(await gateway.get(None, path, headers={**token, **own}))
    assert told["origin"] == f"http://localhost:{dev.port}"
    assert told["referer"] == f"http://localhost:{dev.port}/z"


def test_port_of():
    own = "https://4200-dev.example.com"
    assert port_of("https://4173-dev.example.com", own, 4200) == 4173
    for other in ("https://04173-dev.example.com", "https://-dev.example.com", "https://4173-dev.example.com:1",
                  "http://4173-dev.example.com", "https://٣-dev.example.com", "null", "", "https://dev.example.com",
                  "https://4173.evil-dev.example.com"):  # fmt: skip
        assert port_of(other, own, 4200) is None


def test_origins_and_domains_are_read_as_browsers_write_them():
    assert origin_of_url("http://a:1/b?c") == "http://a:1"
    assert origin_of_url("https://a?b/c") == "https://a"
    assert origin_of_url("ftp://a/") == origin_of_url("/x") == origin_of_url("") == ""
    assert cookie_domains("www.shop.test:3000") == r"www\.shop\.test|shop\.test"
    assert cookie_domains("shop.test") == r"shop\.test"


def test_the_file_of_names_follows_the_machine(tmp_path):
    found = ["192.0.2.1", "127.0.0.1", "[::1]"]
    file = own_names.NamesFile(tmp_path / "names", lambda: list(found))
    file.refresh()
    assert (tmp_path / "names").read_text().startswith(r"192\.0\.2\.1|")
    found.append("[2001:db8::1]")
    file.refresh()
    assert re.fullmatch((tmp_path / "names").read_text(), "[2001:db8::1]")
    assert list(tmp_path.iterdir()) == [tmp_path / "names"]
    assert not re.fullmatch(own_names.pattern([], "localhost"), "")


async def test_keep_tells_the_public_origin(dev, tmp_path, make_gateway):
    async with make_gateway(tmp_path, pattern=HTTPS) as gateway:
        await gateway.share(dev.port, host_header="keep")
        host = f"{dev.port}-dev.example.com"
        own = {"Host": host, "Origin": f"https://{host}", "Referer": f"https://{host}/x"}
        path = answer_with(Location=f"http://{host}/y", Set_Cookie=f"a=b; Domain={host}")
        for accept in ("*/*", "text/event-stream"):
            answer = await gateway.client.get(gateway.base + path, headers={**own, "Accept": accept})
            told = sent(answer)
            assert (told["host"], told["x-forwarded-host"]) == (host, host)
            assert (told["x-forwarded-proto"], told["x-forwarded-port"]) == ("https", "443")
            assert (told["origin"], told["referer"]) == (own["Origin"], own["Referer"])
            # A server that trusts no proxy writes http, and cookies of the public name are its own business.
            assert answer.headers["location"] == f"https://{host}/y"
            assert answer.headers["set-cookie"] == f"a=b; Domain={host}"


async def test_a_name_of_ones_own_is_told_and_mapped_back(gateway, dev):
    share = await gateway.share(dev.port, host_header="Shop.test:3000")
    assert share["host_header"] == "shop.test:3000"
    own = gateway.origin(dev.port)
    path = answer_with(
        Location="http://shop.test:3000/y",
        Set_Cookie="a=b; Domain=.shop.test; Path=/",
        Access_Control_Allow_Origin="http://shop.test:3000",
    )
    answer = await gateway.get(dev.port, path, headers={"Origin": own, "Referer": own + "/x"})
    told = sent(answer)
    assert (told["host"], told["x-forwarded-host"]) == ("shop.test:3000", "shop.test:3000")
    assert (told["x-forwarded-proto"], told["x-forwarded-port"]) == ("http", "3000")
    assert (told["origin"], told["referer"]) == ("http://shop.test:3000", "http://shop.test:3000/x")
    assert answer.headers["location"] == own + "/y"
    assert answer.headers["access-control-allow-origin"] == own
    assert answer.headers["set-cookie"] == "a=b; Path=/"
    await gateway.share(dev.port)  # made anew
    assert sent(await gateway.get(dev.port))["host"] == f"localhost:{dev.port}"


async def test_what_is_no_host_is_refused(gateway, dev):
    names = ("", "a b", "a\nb", "http://a", "a/b", "a:0", "a:65536", "a.", ".a", "x" * 256, "ä", "a\n")
    for name in names:
        body = {"mode": "public", "host_header": name}
        answer = await gateway.owner.post(f"/api/ports/{dev.port}/share", json=body)
        assert answer.status_code == 422, name


@asynccontextmanager
async def application(*, by_host: bool = True, links: int = 5, redirect: bool = False, only: str = ""):
    """A web application whose page has whole addresses; `by_host`: it builds them from Host. `only`: other hosts are
    refused."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            host = re.search(r"\r\nHost: (\S+)", head)[1]
            name = host if by_host else f"localhost:{port}"
            status, more, body = "200 OK", "", f'<a href="http:\\/\\/{name}/x">' * links
            if only and not host.startswith(only):
                status, body = "403 Forbidden", "blocked host"
            elif redirect and head.startswith("GET / "):
                status, more, body = "302 Found", f"Location: http://{name}/in\r\n", ""
            writer.write(f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{more}\r\n{body}".encode())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield port


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, (5, "keep")),
        ({"redirect": True}, (5, "keep")),
        ({"links": 2}, (2, None)),
        ({"by_host": False}, (5, None)),  # written down: keep would change nothing
        ({"only": "localhost"}, (5, None)),  # keep would only lock visitors out
        ({"only": "nobody"}, (None, None)),
    ],
)
async def test_a_page_that_would_be_better_with_keep_is_found(options, expected):
    async with application(**options) as port:
        advice = await look(f"127.0.0.1:{port}", port, f"https://{port}-dev.example.com")
        assert (advice.local_urls, advice.suggestion) == expected


async def test_no_page_no_advice(gateway, dev, vacant):
    for port in (dev.port, vacant):  # JSON, nothing
        answer = await gateway.owner.get(f"/api/ports/{port}/host-header")
        assert answer.json() == {"local_urls": None, "suggestion": None}
    assert (await gateway.get(None, f"/api/ports/{dev.port}/host-header")).status_code == 401


async def test_what_speaks_no_http_has_no_page():
    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0" * 100_000)
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async with await asyncio.start_server(noise, "127.0.0.1", 0) as server:
        number = server.sockets[0].getsockname()[1]
        assert (await look(f"127.0.0.1:{number}", number, "http://x")).local_urls is None
