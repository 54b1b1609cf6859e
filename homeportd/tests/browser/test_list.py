"""The list of ports: live, readable by anyone, and usable without a mouse."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from playwright.sync_api import expect

from ..installation import stop, wait_for
from .conftest import copies, in_place, palette, promptly, row

LIVE_S = 2.0


def test_a_new_server_appears_under_its_repo_and_leaves_again(workstation, page):
    folder = workstation.repo("shop") / "web"
    folder.mkdir()
    number = workstation.first

    def appears():
        if workstation.processes:
            stop(workstation.processes.pop())
            expect(row(page, number)).to_have_count(0)
        workstation.serve(folder, number)
        return lambda: expect(row(page, number)).to_contain_text("http.server · web")

    def leaves():
        if not workstation.processes:
            workstation.serve(folder, number)
            expect(row(page, number)).to_have_count(1)
        stop(workstation.processes.pop())
        return lambda: expect(row(page, number)).to_have_count(0)

    promptly(LIVE_S, appears)
    expect(row(page, number)).to_contain_text("Private · only you")
    block = page.get_by_role("region", name="shop")
    expect(block.locator(f"[data-port='{number}']")).to_be_visible()
    expect(block.get_by_role("heading", name="shop")).to_be_visible()
    expect(block).to_contain_text("main")
    promptly(LIVE_S, leaves)


def test_a_port_without_a_repo_is_another_listener(workstation, page):
    workstation.serve(workstation.folder, workstation.first)
    others = page.get_by_role("region", name="Other listeners")
    expect(others.locator(f"[data-port='{workstation.first}']")).to_be_visible()


def test_uncommitted_changes_are_marked(workstation, page):
    folder = workstation.repo("shop")
    workstation.serve(folder, workstation.first)
    block = page.get_by_role("region", name="shop")
    expect(block).to_be_visible()
    expect(block).not_to_contain_text("uncommitted changes")
    (folder / "index.html").write_text("changed")
    expect(block).to_contain_text("uncommitted changes")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_repo_of_somebody_else_names_the_command_that_hands_it_over(workstation, page):
    folder = workstation.repo("shop")
    shutil.chown(folder, "nobody")
    workstation.serve(folder, workstation.first)
    block = page.get_by_role("region", name="shop")
    mark = block.get_by_role("button", name="nobody's")
    expect(mark).to_have_attribute("aria-expanded", "false")
    mark.click()
    expect(block).to_contain_text("This repo belongs to nobody")
    expect(block.get_by_role("code")).to_contain_text(f"chown -R root: {folder}")
    copies(block.get_by_role("button", name=re.compile("Copy .*chown")))
    mark.click()
    expect(block.get_by_role("code")).to_have_count(0)


def test_a_row_under_the_hand_does_not_vanish(workstation, page):
    number = workstation.first
    server = workstation.serve(workstation.repo("shop"), number)
    in_place(page, number, "shop").get_by_role("link", name="Open").hover()
    # A finger leaves no pointer that could be seen to go: after a while the page lets go by itself. Not here.
    page.evaluate("window.setTimeout = () => 0")
    stop(server)
    expect(row(page, number)).to_contain_text("not running")
    # The page that teaches would push it from under the hand.
    expect(page.get_by_role("heading", name="Nothing listens yet")).to_have_count(0)
    page.wait_for_timeout(500)
    expect(row(page, number)).to_be_visible()
    page.mouse.move(5, 5)
    page.get_by_label("Filter ports and repos").hover()
    expect(row(page, number)).to_have_count(0)


def test_an_open_menu_outlives_the_move_of_its_row(workstation, page):
    """A port is seen before its repo is: its row then moves into the repo's block."""
    number = workstation.first
    folder = workstation.folder / "repos" / "late"
    folder.mkdir()
    workstation.serve(folder, number)
    row(page, number).get_by_role("button", name="More").click()
    page.keyboard.press("ArrowDown")
    item = page.get_by_role("menuitem", name="Share …")
    expect(item).to_be_focused()
    workstation.repo("late")
    moved = page.get_by_role("region", name="late").locator(f"[data-port='{number}']")
    expect(moved).to_be_visible()
    expect(item).to_be_focused()
    expect(moved.get_by_role("button", name="More")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    expect(moved.get_by_role("button", name="More")).to_be_focused()
    # A row that goes takes its menu with it, for good.
    moved.get_by_role("button", name="More").click()
    page.evaluate("hash => { location.hash = hash }", f"#/ports/{workstation.first}/log")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("menu")).to_have_count(0)


def test_the_focus_outlives_the_move_of_its_row(workstation, page):
    number = workstation.first
    folder = workstation.folder / "repos" / "late"
    folder.mkdir()
    workstation.serve(folder, number)
    link = row(page, number).get_by_role("link", name="Open")
    link.focus()
    workstation.repo("late")
    in_place(page, number, "late")
    expect(link).to_be_focused()


def test_a_menu_is_at_its_button_when_rows_come_above(workstation, page):
    workstation.serve(workstation.folder, workstation.first + 1)
    button = row(page, workstation.first + 1).get_by_role("button", name="More")
    button.click()
    menu = page.get_by_role("menu")
    before, anchor = menu.bounding_box(), button.bounding_box()
    workstation.serve(workstation.folder, workstation.first)
    expect(row(page, workstation.first)).to_be_visible()
    assert button.bounding_box()["y"] > anchor["y"]
    wait_for(
        lambda: menu.bounding_box()["y"] - button.bounding_box()["y"] == before["y"] - anchor["y"],
        "the menu is at its button",
    )


def test_a_menu_scrolls_with_its_row(workstation, page):
    workstation.serve(workstation.folder, workstation.first)
    page.evaluate("document.body.style.paddingBottom = '200vh'")  # as of many rows
    button = row(page, workstation.first).get_by_role("button", name="More")
    button.click()
    menu = page.get_by_role("menu")
    before, anchor = menu.bounding_box(), button.bounding_box()
    page.mouse.move(5, 5)
    page.mouse.wheel(0, 30)
    wait_for(lambda: button.bounding_box()["y"] < anchor["y"] - 20, "the page scrolls")
    expect(menu).to_be_visible()
    wait_for(
        lambda: menu.bounding_box()["y"] - button.bounding_box()["y"] == before["y"] - anchor["y"],
        "the menu is at its button",
    )
    page.mouse.wheel(0, 600)
    expect(menu).to_have_count(0)


def test_an_empty_list_teaches(workstation, page):
    expect(page.get_by_role("heading", name="Nothing listens yet")).to_be_visible()
    expect(page.get_by_text("python3 -m http.server 8000")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copies(page.get_by_role("button", name="Copy homeport share"))
    assert page.evaluate("navigator.clipboard.readText()") == "homeport share 8000 --password --expires 1h"


def test_home_shows_the_machine_and_its_load(workstation, page):
    status = workstation.call("GET", "/api/status")
    expect(page.get_by_role("banner")).to_contain_text(status["hostname"])
    load = page.get_by_role("region", name="Load")
    for name in ("CPU", "RAM", "Disk"):
        expect(load).to_contain_text(name)
    # The curve grows as figures come in.
    points = "[aria-label=Load] polyline"
    page.wait_for_selector(points, state="attached")
    before = page.locator(points).get_attribute("points")
    page.wait_for_function(
        "([selector, before]) => document.querySelector(selector).getAttribute('points') !== before",
        arg=[points, before],
    )


def test_keys_alone_do_everything(workstation, page):
    first, second = workstation.first, workstation.first + 1
    folder = workstation.repo("shop")
    workstation.serve(folder, first)
    workstation.serve(folder, second)
    in_place(page, first, "shop")
    in_place(page, second, "shop")
    link = "[data-row-link]:focus"

    page.keyboard.press("ArrowDown")
    expect(row(page, first).locator(link)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(row(page, second).locator(link)).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(row(page, second).locator(link)).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(row(page, first).locator(link)).to_be_visible()

    # `s` shares, Escape closes, and the focus is where it was.
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name=f"Share {first}")).to_be_visible()
    expect(page).to_have_url(re.compile(f"#/ports/{first}/share$"))
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row(page, first).locator(link)).to_be_visible()

    # Enter opens, in a tab of its own, by way of the hand-off, which shows who is asking.
    with page.context.expect_page() as opened:
        page.keyboard.press("Enter")
    expect(opened.value.get_by_role("heading", name="Hello from shop")).to_be_visible()
    opened.value.close()

    # `/` filters, Escape clears.
    page.keyboard.press("/")
    page.keyboard.type(str(second))
    expect(row(page, first)).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(row(page, second).locator(link)).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(row(page, first)).to_be_visible()

    # The palette does what the menus do.
    palette(page, f"share {second}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=f"Share {second}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)

    # The menu, too.
    menu = row(page, second).get_by_role("button", name=f"More for {second}")
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Open")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("menuitem", name="Access log")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=f"Access log of {second}")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(menu).to_be_focused()


def test_the_palette_opens_the_rest(workstation, page):
    palette(page, "no such thing")
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    page.keyboard.press("Control+a")
    page.keyboard.type("settings")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


def test_the_back_button_closes_a_sheet(workstation, page):
    workstation.serve(workstation.repo("shop"), workstation.first)
    expect(row(page, workstation.first)).to_be_visible()
    start = page.evaluate("history.length")
    for name in ("Share …", "Access log"):
        row(page, workstation.first).get_by_role("button", name="More").click()
        page.get_by_role("menuitem", name=name).click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.go_back()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(row(page, workstation.first)).to_be_visible()
    row(page, workstation.first).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Share …").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    # Opening and closing does not pile up history.
    assert page.evaluate("history.length") <= start + 1


def test_a_link_leads_to_a_sheet(workstation, page):
    workstation.serve(workstation.repo("shop"), workstation.first)
    page.goto(f"{workstation.url}/#/ports/{workstation.first}/share")
    page.reload()
    expect(page.get_by_role("dialog", name=f"Share {workstation.first}")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(f"{workstation.url}/#/")
