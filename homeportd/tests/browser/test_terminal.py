"""A terminal in a repo: real shell, real WebSocket, the page's xterm.js."""

from __future__ import annotations

from playwright.sync_api import expect

from ..installation import wait_for
from .conftest import NARROW, palette, serious_faults


def open_terminal(workstation, page, name):
    repo = workstation.repo(name)
    wait_for(
        lambda: name in [each["id"] for each in workstation.call("GET", "/api/repos")], "the repo is seen"
    )
    page.goto(f"{workstation.url}/#/repos/{name}")
    page.get_by_role("link", name="Terminal").click()
    expect(page.get_by_text("It goes on when you leave this page.")).to_be_visible()
    return repo


def test_what_is_typed_runs_in_the_repo_and_goes_on_when_one_leaves(workstation, page):
    repo = open_terminal(workstation, page, "console")
    rows = page.locator("[data-terminal] .xterm-rows")
    page.keyboard.type(
        "printf '\\033[38;2;255;0;0mred\\033[0m %s\\n' $((6*7)); pwd > here; stty size > size\n"
    )
    expect(rows).to_contain_text("red 42")
    wait_for(lambda: (repo / "size").exists() and (repo / "size").read_text().strip(), "the size is written")
    assert (repo / "here").read_text().strip() == str(repo)
    lines, columns = map(int, (repo / "size").read_text().split())
    assert lines > 20
    assert columns > 80
    # Away and back: the same shell, with what it has shown.
    page.get_by_role("link", name="console").click()
    expect(rows).to_have_count(0)
    palette(page, "terminal in console")
    page.keyboard.press("Enter")
    expect(rows).to_contain_text("red 42")
    assert len(workstation.call("GET", "/api/repos/console/terminals")) == 1
    page.get_by_role("button", name="End terminal").click()
    expect(page.get_by_text("The terminal has ended.")).to_be_visible()
    wait_for(lambda: workstation.call("GET", "/api/repos/console/terminals") == [], "it has ended")
    page.get_by_role("button", name="New terminal").click()
    expect(page.get_by_text("It goes on when you leave this page.")).to_be_visible()
    page.get_by_role("button", name="End terminal").click()
    expect(page.get_by_text("The terminal has ended.")).to_be_visible()


def test_a_phone_has_the_keys_that_it_lacks(workstation, log_in):
    page = log_in(NARROW)
    open_terminal(workstation, page, "pocket")
    page.locator("[data-terminal] textarea").focus()
    page.keyboard.type("sleep 1000\n")
    expect(page.locator("[data-terminal] .xterm-rows")).to_contain_text("sleep 1000")
    page.get_by_role("button", name="Ctrl C").click()
    expect(page.locator("[data-terminal] .xterm-rows")).to_contain_text("^C")
    assert workstation.overflow(page) == 0
    assert serious_faults(page, workstation) == []
    page.get_by_role("button", name="Ctrl D").click()
    expect(page.get_by_role("button", name="New terminal")).to_be_visible()
