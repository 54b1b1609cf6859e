"""Each page as a picture, at the width of a laptop and of a phone; axe finds nothing on any of them.

`bin/test homeportd/tests/browser/test_pictures.py --pictures docs/pictures` makes those of docs/. They show a real
agent's answers, in which the numbers, names and times that differ from run to run are replaced.
"""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from .conftest import DESKTOP, at_rest, in_place, serious_faults, watch_errors

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NOW = "2026-12-01T09:41:00Z"
TOMORROW = "2026-12-02T09:41:00Z"
TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*"')
LOAD = {
    "cpu_count": 6,
    "cpu_percent": 7.0,
    "memory": {"used": 5 << 30, "total": 16 << 30},
    "disk": {"used": 61 << 30, "total": 237 << 30},
}
MAX_BYTES = 160_000  # of one picture


class Painter:
    """Shows a page with the agent's answers as they could be on any other day and machine."""

    def __init__(self, workstation: Any, numbers: dict[int, int]) -> None:
        self.workstation = workstation
        self.words = {
            str(workstation.folder): "/srv/homeport",
            socket.gethostname(): "workstation",
            f":{workstation.front}": ":8080",
            **{str(real): str(shown) for real, shown in numbers.items()},
        }
        self.real = {str(shown): str(real) for real, shown in numbers.items()}

    def painted(self, text: str) -> str:
        """An answer or event of the agent as it is shown."""
        for real, shown in self.words.items():
            text = text.replace(real, shown)
        text = re.sub(rf'"expires_at": ?{TIME.pattern}', f'"expires_at":"{TOMORROW}"', text)
        document = json.loads(
            TIME.sub(lambda match: match[0] if match[0] == f'"{TOMORROW}"' else f'"{NOW}"', text)
        )
        if isinstance(document, dict) and "system" in document:
            document |= {"system": LOAD, "user": "ada", "user_choice": None}
        return json.dumps(document)

    def _answer(self, route: Route) -> None:
        request = route.request
        if request.method != "GET":
            route.fallback()
            return
        path = request.url.split("/api/", 1)[1]
        path = re.sub(r"(?<=^ports/)\d+", lambda match: self.real.get(match[0], match[0]), path)
        route.fulfill(
            body=self.painted(json.dumps(self.workstation.call("GET", f"/api/{path}"))),
            content_type="application/json",
        )

    def _events(self, browser: WebSocketRoute) -> None:
        agent = browser.connect_to_server()

        def send(message: str | bytes) -> None:
            if '"type":"system"' not in str(message).replace(" ", ""):
                browser.send(self.painted(str(message)))

        agent.on_message(send)

    def enter(self, page: Page) -> None:
        """Log in, with the clock of the pictures."""
        page.goto(self.workstation.login_link())
        page.get_by_label("Filter ports and repos").wait_for()
        page.route(re.compile("/api/(?!session)"), self._answer)
        page.route_web_socket(re.compile("/api/events"), self._events)
        page.clock.set_fixed_time(NOW)
        page.reload()


@pytest.mark.parametrize(("name", "device"), [("wide", DESKTOP), ("phone", PHONE)])
def test_each_page_is_drawn_and_axe_finds_nothing(
    workstation, contexts, errors, tmp_path, name, device, request
):
    folder = Path(request.config.getoption("--pictures", default=None) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    first = workstation.first
    numbers = {first: 3000, first + 1: 5173}
    for number, repo in zip(numbers, ("shop", "atlas"), strict=True):
        workstation.serve(workstation.repo(repo), number)
    (workstation.folder / "repos/shop/index.html").write_text("changed")
    workstation.repo("notes")
    workstation.call(
        "POST", f"/api/ports/{first}/share", {"mode": "password", "password": "secret", "expires": "24h"}
    )
    page = contexts(**device).new_page()
    watch_errors(page, errors)
    Painter(workstation, numbers).enter(page)
    in_place(page, 3000, "shop")
    in_place(page, 5173, "atlas")
    for shot, address, shown in (
        ("home", "#/", page.get_by_role("region", name="shop")),
        ("repo", "#/repos/shop", page.get_by_role("heading", name="shop")),
        ("share", "#/ports/5173/share", page.get_by_role("dialog")),
        ("clone", "#/clone", page.get_by_role("dialog")),
        ("activity", "#/activity", page.get_by_role("heading", name="Activity")),
        ("settings", "#/settings", page.get_by_role("heading", name="Settings")),
    ):
        page.evaluate("hash => { location.hash = hash }", address)
        expect(shown).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("Fetching")
        expect(page.get_by_role("dialog")).to_have_count(1 if shot in ("share", "clone") else 0)
        at_rest(page)
        assert workstation.overflow(page) == 0, shot
        picture = page.screenshot(
            path=folder / f"{shot}-{name}.png", animations="disabled", caret="hide", scale="css"
        )
        assert len(picture) < MAX_BYTES, shot
        assert serious_faults(page, workstation) == [], shot
