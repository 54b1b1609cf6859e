"""Terminals over the WebSocket of a real agent: a shell in a repo, its screens after a reconnect, its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from homeportd.app import agent
from homeportd.terminal import service
from homeportd.terminal.model import WINDOW, OutputWindow

from ..conftest import QUICK_ROUNDS, over_socket
from ..processes.conftest import end_all

ANSWER_S = 30


class Page:
    """A page that shows a terminal, as the dashboard's does."""

    def __init__(self, socket):
        self.socket = socket
        self.output = b""
        self.offset = 0
        self.hello = {}
        self.ended = None

    async def read(self, *, confirm=True):
        """One message."""
        async with asyncio.timeout(ANSWER_S):
            message = await self.socket.recv()
        if isinstance(message, bytes):
            self.output += message
            self.offset += len(message)
            if confirm:
                await self.socket.send(json.dumps({"type": "shown", "offset": self.offset}))
            return
        data = json.loads(message)
        match data["type"]:
            case "hello":
                self.hello, self.offset = data, data["offset"]
            case "skip":
                self.offset = data["offset"]
            case "ended":
                self.ended = data

    async def until(self, text):
        """Read until the output has `text`."""
        while text not in self.output:
            await self.read()

    async def until_closed(self):
        """Read until the connection ends; how it was closed."""
        while True:
            try:
                await self.read()
            except ConnectionClosed as closed:
                return closed.rcvd.code

    async def type(self, text):
        """Type a line."""
        await self.socket.send(text.encode() + b"\n")

    async def send(self, **message):
        """Send a text message."""
        await self.socket.send(json.dumps(message))


@pytest.fixture
def repo(settings):
    """A repo of the agent, made before it starts."""
    path = settings.repo_root / "shop"
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    return path


@pytest.fixture
def open_page(repo, running, browser):
    """Connects as the dashboard does."""

    @asynccontextmanager
    async def connect(query="", repo="shop", **headers):
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        async with unix_connect(
            str(running.socket("web")),
            f"ws://localhost:8080/api/repos/{repo}/terminal?{query}",
            origin=headers.get("origin", running.origins.dashboard),
            additional_headers={"Cookie": headers.get("cookie", cookies)},
            compression=None,
        ) as socket:
            page = Page(socket)
            await page.read()
            yield page

    return connect


@pytest.fixture(autouse=True)
def no_terminal_stays(settings, monkeypatch):
    """Whatever is open at the end of a test is ended."""
    monkeypatch.setattr(service, "STOP_S", 1.0)
    yield
    end_all(settings.data_dir / "processes")


async def test_a_shell_in_the_repo_its_size_and_its_exit(repo, open_page, peer):
    async with open_page("columns=91&rows=33") as page:
        assert page.hello["resumed"] is False
        await page.type("echo in:$PWD size:$(stty size)")
        await page.until(f"in:{repo} size:33 91".encode())
        await page.send(type="resize", columns=100, rows=20)
        await page.type("echo now:$(stty size)")
        await page.until(b"now:20 100")
        await page.type("sleep 600 & exit 5")
        while page.ended is None:
            await page.read()
        assert page.ended == {"type": "ended", "code": 5, "signal": None}
        assert await page.until_closed() == 1000
    while (await peer.get("/api/repos/shop/terminals")).json():  # noqa: ASYNC110 - until it is noted
        await asyncio.sleep(0.05)


async def test_the_same_terminal_after_a_reconnect(repo, open_page):
    async with open_page() as page:
        await page.type("echo one; value=kept")
        await page.until(b"one\r\n")
        terminal, offset = page.hello["terminal"], page.offset
    async with open_page(f"terminal={terminal}&shown={offset}") as page:
        assert page.hello == {"type": "hello", "terminal": terminal, "offset": offset, "resumed": True}
        await page.type("echo $value$value")
        await page.until(b"keptkept\r\n")
        assert b"one\r\n" not in page.output
    async with open_page(f"terminal={terminal}") as page:
        await page.until(b"keptkept\r\n")
        assert b"one\r\n" in page.output
        await page.send(type="end")
        assert await page.until_closed() == 1000
    with pytest.raises(InvalidStatus) as refused:
        await open_page(f"terminal={terminal}").__aenter__()
    assert refused.value.response.status_code == 404


async def test_a_terminal_outlives_the_agent(repo, settings):
    terminal = None
    for text in (b"first", b"second"):
        async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as peer:
            token = (await peer.post("/api/tokens", json={"name": text.decode()})).json()["token"]
            address = f"ws://localhost:8080/api/repos/shop/terminal?terminal={terminal or ''}"
            header = {"Authorization": f"Bearer {token}"}
            async with unix_connect(
                str(settings.socket("web")), address, additional_headers=header
            ) as socket:
                page = Page(socket)
                await page.read()
                terminal = page.hello["terminal"]
                await page.type(f"echo {text.decode()[:3]}''{text.decode()[3:]}")
                await page.until(text)
                if text == b"second":
                    assert b"first" in page.output
                    await page.send(type="end")
                    assert await page.until_closed() == 1000


async def test_a_page_that_shows_nothing_gets_no_more_than_a_window(repo, open_page):
    async with open_page() as page:
        await page.type("seq 1000000; echo do''ne")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.5):
                while True:
                    await page.read(confirm=False)
        assert WINDOW <= len(page.output) < WINDOW + 256 * 1024
        await page.send(type="shown", offset=page.offset)
        await page.until(b"done\r\n")


async def test_who_may_not_open_one(repo, open_page, browser, running, monkeypatch):
    async def status(query="", **more):
        with pytest.raises(InvalidStatus) as refused:
            await open_page(query, **more).__aenter__()
        return refused.value.response.status_code

    assert await status(cookie="") == 401
    assert await status(origin="http://3000.localhost:8080") == 403
    assert await status(repo="other") == 404
    assert await status("columns=0") in {403, 422}
    monkeypatch.setattr(service, "MAX_TERMINALS", 1)
    async with open_page() as page:
        assert await status() == 429
        assert (await browser.put("/api/settings", json={"terminal": {"enabled": False}})).status_code == 200
        while page.ended is None:
            await page.read()
    assert await status() == 403


async def test_what_is_no_message_closes_the_page_alone(repo, open_page, peer):
    async with open_page() as page:
        await page.socket.send('{"type": "resize", "columns": 0}')
        assert await page.until_closed() == 4002
    assert [each["id"] for each in (await peer.get("/api/repos/shop/terminals")).json()] == [
        page.hello["terminal"]
    ]


def test_a_page_cannot_confirm_what_was_not_sent():
    window = OutputWindow(10)
    window.sent = 10 + WINDOW
    assert not window.open
    window.confirm(10**18)
    assert window.open
    assert window.shown == 10 + WINDOW
