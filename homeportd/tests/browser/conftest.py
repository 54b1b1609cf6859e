"""A real agent behind the real Caddy, and a real browser in front of it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from ..freeports import free_ports
from ..installation import running, socket_folder
from .workstation import HOMEPORTD, SPAN, Workstation

STATIC = HOMEPORTD / "src/homeportd/static"
BROWSERS = ("chromium", "google-chrome", "google-chrome-stable", "chromium-browser")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000  # for what comes at once, but on a machine that has other work
expect.set_options(timeout=PATIENCE_MS)
PORTS_A_TEST = 10  # each test has its own, so that no log holds another's visits

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 860}}
NARROW: dict[str, Any] = {
    "viewport": {"width": 320, "height": 640},
    "is_mobile": True,
    "has_touch": True,
    "device_scale_factor": 2,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where test_pictures.py puts its pictures."""
    parser.addoption("--pictures", metavar="FOLDER", help="keep the pictures of the dashboard's pages here")


@pytest.fixture(scope="session")
def dashboard() -> None:
    """The built dashboard, as it is in the wheel."""
    if not (STATIC / "index.html").is_file():
        pytest.fail("the dashboard is not built; in homeportd/ui: npm ci && npm run build")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, dashboard: None) -> Iterator[Workstation]:
    """One agent for the tests of a file."""
    first, *_, last = free_ports(SPAN)
    with socket_folder() as sockets:
        made = Workstation(tmp_path_factory.mktemp("agent"), sockets, first, first + 1, last)
        made.configure(user_reason="root")
        with running(made):
            yield made


@pytest.fixture
def workstation(agent: Workstation) -> Iterator[Workstation]:
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


@pytest.fixture(params=[DESKTOP, NARROW], ids=["desktop", "narrow"])
def device(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A wide screen, and the narrowest phone that counts: what fits it fits wider ones."""
    return dict(request.param)


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


def copies(button: Locator) -> None:
    """Press a copy button and hear it say so, which it does for two seconds: a slow test would look too late."""
    said = button.evaluate_handle(
        """button => {
            const said = {copied: false};
            new MutationObserver(() => { said.copied ||= button.innerText.trim() === 'Copied'; })
                .observe(button, {subtree: true, childList: true, characterData: true});
            return said;
        }"""
    )
    button.click()
    button.page.wait_for_function("said => said.copied", arg=said)


def row(page: Page, number: int) -> Locator:
    """The row of a port."""
    return page.locator(f"[data-port='{number}']")


def in_place(page: Page, number: int, block: str) -> Locator:
    """The row where it stays: a port may be seen before its owner is, and moves into its repo's block then."""
    found = page.get_by_role("region", name=block).locator(f"[data-port='{number}']")
    expect(found).to_be_visible()
    return found


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


def serious_faults(page: Page, workstation: Workstation) -> list[tuple[str, list[str]]]:
    """What keeps people from using the page, by axe: the rule and the elements that break it.

    Without motion: a row that comes while axe looks would have the contrast of a row that is fading in.
    """
    page.emulate_media(reduced_motion="reduce")
    page.evaluate((workstation.ui / "node_modules/axe-core/axe.min.js").read_text())
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
    workstation: Workstation, contexts: Callable[..., BrowserContext], errors: Errors
) -> Callable[[dict[str, Any]], Page]:
    """A page of the dashboard, logged in by a link, connected."""

    def enter(options: dict[str, Any]) -> Page:
        page = contexts(**options).new_page()
        watch_errors(page, errors)
        page.goto(workstation.login_link())
        page.get_by_label("Filter ports and repos").wait_for()
        return page

    return enter


@pytest.fixture
def page(log_in: Callable[[dict[str, Any]], Page]) -> Page:
    """The dashboard on a wide screen."""
    return log_in(DESKTOP)
