"""The real code-server behind the real Caddy, in a real browser: started by the first request, used, stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from parts import part
from playwright.sync_api import Page, expect
from third_party.catalogue import PARTS

from ..freeports import free_ports
from ..installation import running, socket_folder, wait_for
from .workstation import SPAN, Workstation


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory, dashboard: None) -> Iterator[Workstation]:
    """An agent with an editor."""
    program, node = part("code-server") / PARTS["code-server"].programs[0], part("node") / "bin/node"
    first, *_, last = free_ports(SPAN)
    with socket_folder() as sockets:
        folder = tmp_path_factory.mktemp("agent")
        made = Workstation(folder, sockets, first, first + 1, last)
        made.configure(user_reason="root")
        command = folder / "bin/homeport"
        command.parent.mkdir()
        command.touch(0o755)
        made.add_settings(
            "editor",
            node=str(node),
            program=str(program),
            data=f"{folder}/editor/data",
            extensions=f"{folder}/editor/extensions",
            path=f"{folder}/bin",
        )
        with running(made):
            try:
                yield made
            finally:
                made.call("POST", "/api/editor/stop")


def test_a_day_in_the_editor(
    workstation: Workstation, page: Page, errors: list[str], pytestconfig: pytest.Config
) -> None:
    repo = workstation.repo("shop")
    wait_for(lambda: [one["id"] for one in workstation.call("GET", "/api/repos")] == ["shop"], "the repo")
    shown = workstation.call("GET", "/api/editor?repo=shop")
    code = f"http://code.localhost:{workstation.front}"
    assert (shown["state"], shown["url"]) == ("stopped", f"{code}/?folder={repo}")

    # The first request of the owner starts it: a page that goes there, by way of the dashboard's login.
    page.goto(shown["url"])
    expect(page.get_by_role("heading", name="The editor is starting")).to_be_visible()
    expect(
        page.get_by_text("Restricted Mode is intended")
    ).to_be_visible()  # nothing of a repo runs by itself
    assert workstation.call("GET", "/api/editor")["state"] == "running"

    # Open, type, save.
    page.get_by_role("treeitem", name="index.html").dblclick()
    expect(page.locator(".monaco-editor .view-line").first).to_be_visible()
    page.locator(".monaco-editor .view-line").first.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type("<!-- typed -->")
    page.keyboard.press("Control+s")
    wait_for(lambda: "<!-- typed -->" in (repo / "index.html").read_text(), "the file is saved")

    # A terminal, whose dev server is a port of the repo; `homeport` is on its PATH.
    number = workstation.first
    page.keyboard.press("Control+Shift+Backquote")
    terminal = page.locator(".terminal.xterm textarea").first
    terminal.wait_for(state="attached")

    def prompt() -> bool:
        """Whether a shell takes what is typed: it starts after its terminal is shown."""
        terminal.focus()
        page.keyboard.type("touch ready\n")
        page.wait_for_timeout(500)
        return (repo / "ready").exists()

    wait_for(prompt, "a shell")
    page.keyboard.type(f"command -v homeport > found.txt; python3 -m http.server {number} --bind 127.0.0.1\n")

    def server() -> str | None:
        ports = {port["port"]: port for port in workstation.call("GET", "/api/ports")}
        return ports[number]["repo"] if number in ports else None

    wait_for(lambda: server() == "shop", "the server in the terminal is listed under its repo")
    assert (repo / "found.txt").read_text().strip().endswith("/homeport")
    if (folder := pytestconfig.getoption("pictures")) is not None:
        page.screenshot(path=f"{folder}/editor.png")

    # As long as it listens, the editor is not idle; afterwards nothing of it is left.
    assert workstation.call("GET", "/api/editor")["memory"] > 100_000_000
    stopped = workstation.call("POST", "/api/editor/stop")
    assert stopped["state"] == "stopped"
    left = subprocess.run(
        ["pgrep", "-f", f"--user-data-dir {workstation.folder}"], check=False, capture_output=True
    )
    assert not left.stdout
    # It is a busy page: what it lacks (a marketplace, keys of its vendor) it complains about.
    errors.clear()
