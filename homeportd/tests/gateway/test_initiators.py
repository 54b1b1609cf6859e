"""Pages of other ports: those of the same repo may talk to one another, all others may only lead a person there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest

from ..freeports import free_ports

FETCH = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "echo"}
METHODS = ("POST", "PUT", "PATCH", "DELETE")


@dataclass
class Ports:
    """A front end and an API in one repo, and a port of another."""

    gateway: object
    page: int
    api: int
    other: int

    async def status(self, method: str, headers: dict[str, str], path: str = "/") -> int:
        """The status of a request to the API, or of an upgrade."""
        if "Upgrade" not in headers:
            return (await self.gateway.ask(method, self.api, path, headers=headers)).status_code
        reader, writer = await asyncio.open_connection("127.0.0.1", self.gateway.number)
        lines = [f"{method} /echo-raw HTTP/1.1", f"Host: {self.gateway.host(self.api)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        line = await reader.readline()
        writer.close()
        return int(line.split()[1])


@pytest.fixture
async def ports(tmp_path, make_gateway, run_dev_servers):
    page, api, other = free_ports(3)
    folder = tmp_path / "machine/repos"
    with run_dev_servers(folder / "shop", page, api), run_dev_servers(folder / "evil", other):
        async with make_gateway(tmp_path / "machine") as gateway:
            await gateway.in_repos(page, api, other)
            yield Ports(gateway, page, api, other)


async def test_a_cookie_counts_for_pages_of_the_repo_alone(ports):
    gateway = ports.gateway
    await gateway.share(ports.other)  # whoever writes it has pages on the owner's site
    cookie = {"Cookie": await gateway.owner_cookie(ports.api)}
    own, page, other = (gateway.origin(port) for port in (ports.api, ports.page, ports.other))
    may = [{"Origin": own}, {"Origin": page}, {"Origin": page, **FETCH},
           {"Origin": "null", "Sec-Fetch-Site": "same-origin"}]  # fmt: skip
    may_not = [
        {"Origin": other}, {"Origin": other, **FETCH}, {"Origin": "https://evil.example"}, {"Origin": "null"}, {},
        {"Origin": "null", **FETCH}, {"Origin": own + "0"}, {"Origin": "http://localhost"},
        {"Origin": gateway.origin()}, {"Origin": own.replace("http:", "https:")}, {"Referer": own + "/"},
        FETCH | {"Referer": page + "/"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null", **NAVIGATION},
    ]  # fmt: skip
    for method, more in [*((method, {}) for method in METHODS), ("GET", UPGRADE)]:
        for headers in may:
            expected = 101 if more else 200
            assert await ports.status(method, cookie | headers | more) == expected, (method, headers)
        for headers in may_not:
            assert await ports.status(method, cookie | headers | more) == 403, (method, headers)
    rows = await gateway.log_of(ports.api)
    assert {row["decision"] for row in rows} == {"owner", "denied:origin"}


async def test_reading_is_for_pages_of_the_repo_and_for_people(ports):
    gateway = ports.gateway
    cookie = {"Cookie": await gateway.owner_cookie(ports.api)}
    page, other = gateway.origin(ports.page), gateway.origin(ports.other)
    image = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    for headers, status in [
        ({}, 200),
        ({"Sec-Fetch-Site": "none", **NAVIGATION}, 200),
        ({"Sec-Fetch-Site": "cross-site", **NAVIGATION, "Referer": "https://mail.example/"}, 200),
        ({"Sec-Fetch-Site": "same-site", **NAVIGATION, "Referer": other + "/"}, 200),
        ({"Origin": page, **FETCH}, 200),
        ({"Referer": page + "/", **image}, 200),
        ({"Origin": other, **FETCH}, 403),
        ({"Origin": other}, 403),
        ({"Referer": other + "/", **image}, 403),
        (image, 403),
        ({**FETCH, "Sec-Fetch-Site": "cross-site"}, 403),
    ]:
        assert await ports.status("GET", cookie | headers) == status, headers
    # What is open to everybody stays so: there the cookie is not needed, and the dev server decides.
    await gateway.share(ports.api)
    assert await ports.status("POST", cookie | {"Origin": other}) == 200
    answer = await gateway.get(ports.api, headers=cookie | {"Origin": other})
    assert ["Origin", other] in answer.json()["headers"]


async def test_the_cookie_of_a_share_counts_no_more_than_the_owners(ports):
    gateway = ports.gateway
    await gateway.share(ports.api, "password", password="open sesame")
    cookie = {"Cookie": await gateway.share_cookie(ports.api)}
    assert await ports.status("POST", cookie | {"Origin": gateway.origin(ports.page)}) == 200
    assert await ports.status("POST", cookie | {"Origin": gateway.origin(ports.other)}) == 403
    assert await ports.status("GET", cookie | UPGRADE) == 403
    assert (await gateway.log_of(ports.api))[0]["decision"] == "denied:origin"


async def test_a_token_counts_wherever_it_comes_from(ports):
    token = {"Authorization": f"Bearer {await ports.gateway.token()}"}
    for headers in ({}, {"Origin": "https://evil.example"}, FETCH):
        assert await ports.status("POST", token | headers) == 200


async def test_a_page_calls_the_api_of_its_repo(ports):
    """As `cors({origin: "http://localhost:4173"})` wants it, and `cors()`."""
    gateway = ports.gateway
    page = gateway.origin(ports.page)
    cookie = {"Cookie": await gateway.owner_cookie(ports.api)}
    local = f"http://localhost:{ports.page}"
    for allowed in (local, "*"):
        path = "/?" + urlencode({"header": f"Access-Control-Allow-Origin: {allowed}"})
        headers = cookie | FETCH | {"Origin": page, "Referer": page + "/"}
        answer = await gateway.ask("POST", ports.api, path, headers=headers)
        told = {name.lower(): value for name, value in answer.json()["headers"]}
        assert (told["origin"], told["referer"]) == (local, local + "/")
        assert answer.headers["access-control-allow-origin"] == page
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert "origin" in answer.headers["vary"].lower()
    path = "/?" + urlencode({"header": "Access-Control-Allow-Origin: http://localhost:1"})
    answer = await gateway.ask("POST", ports.api, path, headers=cookie | FETCH | {"Origin": page})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:1"
    # To the page of the front end the API redirects; to other ports of that number's neighbours nothing is mapped.
    for port, mapped in ((ports.page, True), (ports.other, False)):
        target = f"http://localhost:{port}/x"
        answer = await gateway.get(ports.api, f"/redirect?to={target}", headers=cookie)
        assert answer.headers["location"] == (f"{gateway.origin(port)}/x" if mapped else target)


def asking(origin: str, **more: str) -> dict[str, str]:
    """The headers of a preflight."""
    wanted = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type,x-csrf"}
    return {"Origin": origin, **FETCH, **wanted, **more}


async def test_preflights_are_answered_and_open_nothing(ports, vacant):
    gateway = ports.gateway
    await gateway.share(ports.other, "password", password="open sesame")

    async def ask(port: int, headers: dict[str, str]) -> httpx.Response:
        return await gateway.ask("OPTIONS", port, "/x", headers=headers)

    for port in (ports.api, ports.other, vacant):  # the same for any port, so that nobody learns what listens
        answer = await ask(port, asking(gateway.origin(ports.page)))
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == gateway.origin(ports.page)
        assert answer.headers["access-control-allow-methods"] == "PUT"
        assert answer.headers["access-control-allow-headers"] == "content-type,x-csrf"
        assert answer.headers["access-control-allow-credentials"] == "true"
    page = gateway.origin(ports.page)
    for headers in (
        asking("https://evil.example"), asking("null"), asking(gateway.origin()), {"Origin": page},
        asking(page, **{"Access-Control-Request-Headers": "a\tb"}),
        asking(page, **{"Access-Control-Request-Method": "put x"}),
    ):  # fmt: skip
        answer = await ask(ports.api, headers)
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers
    assert await ports.status("PUT", asking(page)) == 401
    # Where everybody may come in, the dev server answers for itself.
    await gateway.share(ports.api)
    assert (await ask(ports.api, asking("https://evil.example"))).json()["method"] == "OPTIONS"


async def test_a_cookie_for_the_repo_counts_for_its_pages_alone(ports):
    """Where each port is a site of its own: `4173.localhost`."""
    gateway = ports.gateway
    value = (await gateway.owner_cookie(ports.api)).partition("=")[2]
    cookie = {"Cookie": f"theirs=1; homeport_owner_repo={value}"}
    page, other = gateway.origin(ports.page), gateway.origin(ports.other)
    for headers, status in [
        ({"Origin": page, **FETCH}, 200),
        ({"Origin": other, **FETCH}, 401),
        ({"Origin": gateway.origin(ports.api), **FETCH}, 401),
        ({"Origin": "https://evil.example", **FETCH}, 401),
        ({"Sec-Fetch-Site": "none", **FETCH}, 401),
        ({}, 401),
        (NAVIGATION | {"Sec-Fetch-Site": "cross-site"}, 302),
    ]:
        assert await ports.status("GET", cookie | headers) == status, headers
    assert await ports.status("POST", cookie | {"Origin": page}) == 200
    assert await ports.status("GET", cookie | UPGRADE | {"Origin": page}) == 101
    assert await ports.status("GET", cookie | UPGRADE | {"Origin": other}) == 401
    # Without the cookie an Origin proves nothing, and the cookie is of one port.
    assert await ports.status("POST", {"Origin": page}) == 401
    elsewhere = (await gateway.owner_cookie(ports.page)).partition("=")[2]
    assert await ports.status("POST", {"Origin": page, "Cookie": f"homeport_owner_repo={elsewhere}"}) == 401
    seen = (await gateway.ask("POST", ports.api, "/", headers=cookie | {"Origin": page})).json()["headers"]
    assert ["Cookie", "theirs=1"] in [[name.title(), value] for name, value in seen]
