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

from playwright.sync_api import Page, Route, WebSocketRoute, expect

from ..installation import wait_for
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
# What a dev server prints, roughly.
SERVER = """
import http.server, os
print("\\x1b[1;32m\u279c\\x1b[0m  ready in 412 ms", flush=True)
for path in ("/", "/assets/app.css", "/api/orders", "/assets/app.css", "/missing"):
    status = "\\x1b[31m404" if path == "/missing" else "\\x1b[32m200"
    print(f"\\x1b[2m09:40:12\\x1b[0m \\x1b[36mGET\\x1b[0m {path} {status}\\x1b[0m", flush=True)
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler)
server.serve_forever()
"""
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
        page.route(re.compile("/api/(?!session|servers/.*/output)"), self._answer)
        page.route_web_socket(re.compile("/api/events"), self._events)
        page.clock.set_fixed_time(NOW)
        page.reload()


def pages(server):
    """Name, address and heading or dialog of each page; `server` is an id."""
    return (
        ("home", "#/", "region", "shop"),
        ("repo", "#/repos/shop", "heading", "shop"),
        ("server", f"#/servers/{server}", "dialog", "Server web"),
        ("output", f"#/servers/{server}/output", "region", "Output of web"),
        ("terminal", "#/repos/shop/terminal", "heading", "Terminal in shop"),
        ("share", "#/ports/5173/share", "dialog", "Share 5173"),
        ("clone", "#/clone", "dialog", "Clone a repository"),
        ("activity", "#/activity", "heading", "Activity"),
        ("settings", "#/settings", "heading", "Settings"),
    )


def test_each_page_is_drawn_and_axe_finds_nothing(workstation, contexts, errors, tmp_path, request):
    folder = Path(request.config.getoption("--pictures", default=None) or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    first = workstation.first
    numbers = {first: 3000, first + 1: 5173, first + 2: 8000}
    shop = workstation.repo("shop")
    (shop / "index.html").write_text("changed")
    (shop / "server.py").write_text(SERVER)
    (shop / "Procfile").write_text("web: python3 server.py\n")
    workstation.serve(workstation.repo("atlas"), first + 1)
    workstation.repo("notes")
    wait_for(
        lambda: "shop" in [repo["id"] for repo in workstation.call("GET", "/api/repos")], "the repo is seen"
    )
    workstation.call("POST", "/api/repos/shop/start", {"port": first})
    workstation.serve(shop, first + 2)
    workstation.call(
        "POST", f"/api/ports/{first}/share", {"mode": "password", "password": "secret", "expires": "24h"}
    )
    for name, device in (("wide", DESKTOP), ("phone", PHONE)):
        page = contexts(**device).new_page()
        watch_errors(page, errors)
        Painter(workstation, numbers).enter(page)
        for number, repo in ((3000, "shop"), (8000, "shop"), (5173, "atlas")):
            in_place(page, number, repo)
        (server,) = (each for each in workstation.call("GET", "/api/servers") if each["name"] == "web")
        for shot, address, role, title in pages(server["id"]):
            page.evaluate("hash => { location.hash = hash }", address)
            expect(page.get_by_role(role, name=title, exact=True)).to_be_visible()
            expect(page.locator("main")).not_to_contain_text("Fetching")
            expect(page.get_by_role("dialog")).to_have_count(1 if role == "dialog" else 0)
            if shot == "output":
                expect(page.get_by_text("ready in 412 ms")).to_be_visible()
            if shot == "terminal":
                expect(page.get_by_text("It goes on when you leave this page.")).to_be_visible()
                if name == "wide":  # the phone shows the same terminal
                    page.keyboard.type("PS1='ada@workstation:shop$ '; clear; git status --short\n")
                expect(page.locator("[data-terminal]")).to_contain_text("M index.html")
            at_rest(page)
            assert workstation.overflow(page) == 0, shot
            picture = page.screenshot(
                path=folder / f"{shot}-{name}.png", animations="disabled", caret="hide", scale="css"
            )
            assert len(picture) < MAX_BYTES, shot
            assert serious_faults(page, workstation) == [], shot
        page.close()
    for terminal in workstation.call("GET", "/api/repos/shop/terminals"):
        workstation.call("DELETE", f"/api/repos/shop/terminals/{terminal['id']}")
    workstation.call("POST", "/api/repos/shop/stop")
