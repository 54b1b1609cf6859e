"""The whole path in one place: a dev server, the agent, the real Caddy with the rendered Caddyfile."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path

import httpx
import pytest

from homeportd.app import agent
from homeportd.settings import load

from ..freeports import free_port
from ..installation import Installation, listens, socket_folder, stop, wait_for

ROUNDS = 4
PASSWORD = "open sesame"

# The tests are imported by path (importlib mode), so that their neighbour is too.
_spec = importlib.util.spec_from_file_location("devserver", Path(__file__).with_name("devserver.py"))
assert _spec is not None
assert _spec.loader is not None
devserver = importlib.util.module_from_spec(_spec)
sys.modules["devserver"] = devserver
_spec.loader.exec_module(devserver)


@dataclass
class Gateway:
    """A machine with Homeport on it; `number` is Caddy's port. The agent is in this process."""

    number: int
    stack: AsyncExitStack  # the agent alone: closing it is the agent's end
    owner: httpx.AsyncClient  # the API over cli.sock
    client: httpx.AsyncClient  # a program that asks Caddy
    caddy: subprocess.Popen[bytes]
    sockets: Path  # the folder of the agent's sockets, and Caddy's for tunnels

    @property
    def base(self) -> str:
        """Caddy's address, without names."""
        return f"http://127.0.0.1:{self.number}"

    def host(self, port: int | None = None) -> str:
        """The Host of a port, or of the dashboard."""
        return f"{port}.localhost:{self.number}" if port else f"localhost:{self.number}"

    def origin(self, port: int | None = None) -> str:
        """The origin of a port, or of the dashboard."""
        return f"http://{self.host(port)}"

    async def ask(self, method: str, port: int | None, path: str, **options: object) -> httpx.Response:
        """One request by Host; paths go out as they are written."""
        headers = {"Host": self.host(port), **(options.pop("headers", None) or {})}  # type: ignore[dict-item]
        return await self.client.request(method, self.base + path, headers=headers, **options)  # type: ignore[arg-type]

    async def get(self, port: int | None, path: str = "/", **options: object) -> httpx.Response:
        """GET by Host."""
        return await self.ask("GET", port, path, **options)

    async def share(self, port: int, mode: str = "public", **request: object) -> dict[str, object]:
        """Share a port."""
        answer = await self.owner.post(f"/api/ports/{port}/share", json={"mode": mode, **request})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def unshare(self, port: int) -> None:
        """Back to private."""
        assert (await self.owner.delete(f"/api/ports/{port}/share")).status_code == 204

    async def listening(self, port: int) -> None:
        """Wait until the agent has seen a port."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.owner.get(f"/api/ports/{port}")
                if answer.status_code == 200 and answer.json()["listening"]:
                    return
                await asyncio.sleep(0.05)

    async def in_repos(self, *ports: int) -> None:
        """Wait until the agent knows the repo of each port."""
        async with asyncio.timeout(30):
            for port in ports:
                while not (await self.owner.get(f"/api/ports/{port}")).json().get("repo"):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def token(self) -> str:
        """An API token."""
        return str((await self.owner.post("/api/tokens", json={"name": "test"})).json()["token"])

    async def log_in(self) -> dict[str, str]:
        """The cookies of a dashboard session."""
        link = (await self.owner.post("/api/login-links")).json()["url"]
        answer = await self.get(None, httpx.URL(link).raw_path.decode())
        assert answer.status_code == 303
        name, _, value = answer.headers["set-cookie"].partition(";")[0].partition("=")
        return {name: value}

    async def owner_cookie(self, port: int) -> str:
        """The Cookie header of the owner at a port, by the whole hand-off."""
        session = await self.log_in()
        cookie = "; ".join(f"{name}={value}" for name, value in session.items())
        handoff = await self.get(None, f"/handoff?port={port}&next=/", headers={"Cookie": cookie})
        assert handoff.status_code in (302, 303), handoff.text
        enter = httpx.URL(handoff.headers["location"])
        assert enter.host == f"{port}.localhost"
        answer = await self.get(port, enter.raw_path.decode())
        assert answer.status_code == 303
        return answer.headers["set-cookie"].partition(";")[0]

    async def share_cookie(self, port: int, password: str = PASSWORD) -> str:
        """The Cookie header of a visitor who typed the password."""
        answer = await self.ask("POST", port, "/.homeport/password", data={"password": password})
        assert answer.status_code == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0]

    async def log_of(self, port: int) -> list[dict[str, str]]:
        """The access log, newest first."""
        return list((await self.owner.get(f"/api/ports/{port}/logs")).json())


@asynccontextmanager
async def open_gateway(
    folder: Path, *, pattern: str | None = None, trusted: tuple[str, ...] = (), **settings: object
):
    """A gateway; `pattern` is the origin setting, its {number} Caddy's port; further `settings` of the agent."""
    async with AsyncExitStack() as outer:
        sockets = outer.enter_context(socket_folder())
        made = Installation(folder, sockets, free_port(), 3000, 65535)
        origin = (pattern or "http://{port}.localhost:{number}").replace("{number}", str(made.front))
        made.configure(origin=origin, **settings)
        stack = await outer.enter_async_context(AsyncExitStack())
        await stack.enter_async_context(agent(load(made.config), bcrypt_rounds=ROUNDS))
        outer.push_async_callback(asyncio.to_thread, made.end)
        home = dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(folder))
        await asyncio.to_thread(made.start_caddy, home | {"SECRET": "hush"}, origin=origin, trusted=trusted)
        transport = httpx.AsyncHTTPTransport(uds=str(sockets / "cli.sock"))
        owner = await outer.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=30)
        )
        client = await outer.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
        client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # each test says what it sends
        yield Gateway(made.front, stack, owner, client, made.programs["caddy"], sockets)


@contextmanager
def dev_servers(repo: Path, *ports: int):
    """Dev servers in processes of their own, whose folder is a new repo."""
    repo.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", repo], check=True)
    started = [subprocess.Popen([sys.executable, devserver.__file__, str(port)], cwd=repo) for port in ports]
    try:
        for port in ports:
            wait_for(lambda port=port: listens(port), f"a dev server on {port}")
        yield
    finally:
        for process in started:
            stop(process)


@pytest.fixture
def run_dev_servers():
    """Run dev servers in a repo: `dev_servers`."""
    return dev_servers


@pytest.fixture
def make_gateway():
    """Build a gateway: `open_gateway`."""
    return open_gateway


@pytest.fixture
def vacant():
    """A port that nothing listens on, in the range that the agent looks at."""
    return _dev_port()


@pytest.fixture
async def dev_on_ipv6():
    """A dev server on ::1 alone."""
    server = devserver.DevServer()
    await server.start("::1")
    yield server
    await server.close()


@pytest.fixture
async def dev():
    """A dev server on 127.0.0.1, up before the agent, so that the first scan sees it."""
    server = devserver.DevServer()
    await server.start(port=_dev_port())
    yield server
    await server.close()


def _dev_port() -> int:
    return free_port()


@pytest.fixture
async def gateway(dev, tmp_path):
    """A gateway with one dev server in it."""
    async with open_gateway(tmp_path) as made:
        yield made
