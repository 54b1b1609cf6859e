"""Dev servers on the dashboard: a repo's start command, start and stop, its output, its settings."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from ..installation import listens, wait_for
from .conftest import NARROW, at_rest, palette, row, serious_faults

PROGRAM = """
import http.server, os, sys
for number in range({lines}):
    print(f"line {{number}}", flush=False)
print("\\x1b[32mready\\x1b[0m <b>in</b> 5 ms", flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture
def shop(workstation):
    """A repo with a start command, whose server ends with the test."""
    folder = workstation.repo(f"shop-{workstation.first}")  # what was set for a repo outlives it
    (folder / "server.py").write_text(PROGRAM.format(lines=3000))
    (folder / "Procfile").write_text("web: python3 server.py\n")
    yield folder
    for server in workstation.call("GET", "/api/servers"):
        if server["state"] in ("starting", "listening"):
            workstation.call("POST", f"/api/repos/{server['repo']}/stop", {"server": server["name"]})


def open_repo(workstation, page, repo):
    page.goto(f"{workstation.url}/#/repos/{repo.name}")
    server = page.locator("[data-server]")
    expect(server).to_contain_text("python3 server.py")
    return server


def test_a_server_is_started_watched_and_stopped(workstation, page, shop):
    server = open_repo(workstation, page, shop)
    server.get_by_role("button", name="Start web").click()
    expect(server).to_contain_text("Listening on")
    (number,) = workstation.call("GET", "/api/servers")[0]["ports"]
    expect(row(page, number)).to_be_visible()
    # Its output, with colours and without anything of it taken for markup.
    server.get_by_role("link").click()
    log = page.locator("[data-log]")
    expect(log.get_by_text("ready")).to_have_class("text-public")
    expect(log).to_contain_text("<b>in</b> 5 ms")
    expect(log.get_by_text("line 2999")).to_be_visible()
    # Of three thousand lines those are drawn that are seen, and the search finds the others.
    assert log.locator("div > div").count() < 300
    page.get_by_label("Search the output").fill("line 17")
    expect(page.get_by_role("status").filter(has_text="of 111 lines")).to_be_visible()
    expect(log.locator("mark").first).to_be_visible()
    page.get_by_label("Wrap").check()
    page.get_by_role("button", name="Follow").click()
    expect(log.get_by_text("ready")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped", exact=True)).to_be_visible()
    wait_for(lambda: not listens(number), "the server is stopped")


def test_a_command_is_changed_before_it_is_run_and_kept(workstation, page, shop):
    server = open_repo(workstation, page, shop)
    server.get_by_role("button", name="More for web").click()
    page.get_by_role("menuitem", name="Command and settings").click()
    sheet = page.get_by_role("dialog", name="Server web")
    expect(sheet.get_by_label("Start command")).to_have_value("python3 server.py")
    sheet.get_by_label("Start command").fill("echo 'no luck' >&2; exit 3")
    sheet.get_by_label("Start it when the machine starts").check()
    sheet.get_by_text("Never").click()
    sheet.get_by_role("button", name="Save and start").click()
    expect(sheet).to_have_count(0)
    expect(server).to_contain_text("exit code 3")
    expect(server.locator("pre")).to_contain_text("no luck")
    expect(server).to_contain_text("starts with the machine · never stopped while idle")
    # The row is on the first page, too, and the palette starts it.
    page.goto(f"{workstation.url}/#/")
    expect(page.get_by_role("region", name=shop.name).locator("[data-server]")).to_contain_text("exit code 3")
    palette(page, f"command and settings of {shop.name} web")
    page.keyboard.press("Enter")
    sheet.get_by_role("button", name="Use the detected one").click()
    sheet.get_by_role("button", name="Save", exact=True).click()
    expect(sheet).to_have_count(0)
    palette(page, f"start {shop.name} web")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name=shop.name).locator("[data-port]")).to_be_visible()


def test_install_and_start_is_one_press(workstation, page):
    folder = workstation.repo("script")
    package = {"name": "shop", "scripts": {"dev": "node -e 0"}, "dependencies": {"nothing-such": "1"}}
    (folder / "package.json").write_text(json.dumps(package))
    page.goto(f"{workstation.url}/#/repos/script")
    server = page.locator("[data-server]")
    expect(server.get_by_role("button", name="Install and start dev")).to_be_visible()


def test_the_page_of_a_server_fits_a_phone_and_serves_everybody(workstation, log_in, shop):
    page = log_in(NARROW)
    server = open_repo(workstation, page, shop)
    server.get_by_role("button", name="Start web").click()
    expect(server).to_contain_text("Listening on")
    at_rest(page)
    assert workstation.overflow(page) == 0
    assert serious_faults(page, workstation) == []
    server.get_by_role("link").click()
    expect(page.locator("[data-log]")).to_contain_text("ready")
    assert workstation.overflow(page) == 0
    assert serious_faults(page, workstation) == []
    server_id = workstation.call("GET", "/api/servers")[0]["id"]
    page.goto(f"{workstation.url}/#/servers/{server_id}")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert workstation.overflow(page) == 0
    assert serious_faults(page, workstation) == []
