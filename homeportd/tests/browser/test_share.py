"""Sharing a port and seeing who came, as its owner and as a visitor do it."""

from __future__ import annotations

import re
import shutil
import socket
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from ..installation import wait_for
from .conftest import copies, promptly

PASSWORD = "correct horse"


@pytest.fixture
def shop(workstation):
    """A dev server in a repo; the value is its port. Its row will not move: the agent knows its repo."""
    workstation.serve(workstation.repo("shop"), workstation.first)
    wait_for(
        lambda: any(port["repo"] for port in workstation.call("GET", "/api/ports")),
        "the port's repo is known",
    )
    return workstation.first


def row(page, number):
    return page.locator(f"[data-port='{number}']")


def open_sheet(page, number):
    row(page, number).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Share …").click()
    sheet = page.get_by_role("dialog", name=f"Share {number}")
    sheet.wait_for()
    return sheet


def choose(sheet, name):
    """As a hand does it: the label is what is seen."""
    radio = sheet.page.get_by_role("radio", name=name)
    sheet.locator("label").filter(has=radio).click()
    expect(radio).to_be_checked()


def words_of(moment):
    return f"{moment:%H:%M}"


def sentence(sheet):
    return sheet.locator("[data-sentence]")


def test_a_password_share_from_sheet_to_visitor(workstation, shop, log_in, contexts, device):
    page = log_in(device)
    sheet = open_sheet(page, shop)
    choose(sheet, "Password")
    choose(sheet, "1 h")
    expect(sentence(sheet)).to_have_text(
        re.compile(r"^Anyone with the password can open this until (today|tomorrow) \d\d:\d\d\.$")
    )
    # Nothing is sent without a password.
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_text("Type a password, or let Homeport make one.")).to_be_visible()
    assert workstation.call("GET", f"/api/ports/{shop}")["share"]["mode"] == "private"
    sheet.get_by_label("Password", exact=True).last.fill(PASSWORD)
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("button", name="Shared")).to_be_disabled()
    expect(sheet.get_by_role("link", name=workstation.port_url(shop))).to_be_in_viewport()
    share = workstation.call("GET", f"/api/ports/{shop}")["share"]
    assert share["mode"] == "password"

    visitor = contexts(**device).new_page()
    visitor.goto(workstation.port_url(shop))
    expect(visitor.get_by_text("Hello from shop")).to_have_count(0)
    visitor.locator("input[type=password]").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", name="Hello from shop")).to_be_visible()

    sheet.get_by_role("button", name="Close").click()
    ends = datetime.fromisoformat(share["expires_at"]).astimezone()
    expect(row(page, shop)).to_contain_text(re.compile(rf"Password until (today|tomorrow) {words_of(ends)}"))


def test_a_public_share_and_its_end(workstation, shop, page, contexts):
    sheet = open_sheet(page, shop)
    choose(sheet, "Public")
    choose(sheet, "Never")
    expect(sentence(sheet)).to_have_text("Anyone with the link can open this until you stop sharing.")
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("button", name="Shared")).to_be_visible()
    visitor = contexts().new_page()
    visitor.goto(workstation.port_url(shop))
    expect(visitor.get_by_role("heading", name="Hello from shop")).to_be_visible()

    choose(sheet, "Private")
    expect(sentence(sheet)).to_have_text("Only you can open this, after you log in.")
    sheet.get_by_role("button", name="Stop sharing").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(row(page, shop)).to_contain_text("Private · only you")
    assert workstation.call("GET", f"/api/ports/{shop}")["share"]["mode"] == "private"
    visitor.reload()
    expect(visitor.get_by_text("Hello from shop")).to_have_count(0)


def test_the_end_can_be_any_day_and_time(workstation, shop, page):
    sheet = open_sheet(page, shop)
    choose(sheet, "Public")
    choose(sheet, "Day and time")
    field = sheet.get_by_label("Day and time of the end")
    field.fill(f"{datetime.now() - timedelta(hours=1):%Y-%m-%dT%H:%M}")  # noqa: DTZ005 - what the field means
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_text("That time has passed. Choose a later one.")).to_be_visible()
    ends = (datetime.now() + timedelta(days=1)).replace(hour=14, minute=0)  # noqa: DTZ005
    field.fill(f"{ends:%Y-%m-%dT%H:%M}")
    expect(sentence(sheet)).to_have_text("Anyone with the link can open this until tomorrow 14:00.")
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("button", name="Shared")).to_be_visible()
    saved = datetime.fromisoformat(workstation.call("GET", f"/api/ports/{shop}")["share"]["expires_at"])
    assert saved.astimezone().replace(tzinfo=None, microsecond=0) == ends.replace(second=0, microsecond=0)


def test_a_change_keeps_the_password_that_is_set(workstation, shop, page, contexts):
    workstation.call(
        "POST", f"/api/ports/{shop}/share", {"mode": "password", "password": PASSWORD, "expires": "never"}
    )
    expect(row(page, shop)).to_contain_text("Password")  # the sheet begins with what the page knows
    sheet = open_sheet(page, shop)
    expect(sheet.get_by_text("Leave it empty to keep the one that is set.")).to_be_visible()
    sheet.get_by_text("More options").click()
    networks = sheet.get_by_label("Allowed networks")
    networks.fill("127.0.0.1/33")
    sheet.get_by_role("button", name="Save changes").click()
    expect(sheet.get_by_text("the part after the slash must be 0 to 32.")).to_be_visible()
    networks.fill("127.0.0.1/8 ::1")
    sheet.get_by_label("How often the password works").fill("2")
    expect(sentence(sheet)).to_have_text(
        "Anyone with the password, from 2 networks only, can open this until you stop sharing. "
        "The password works 2 times."
    )
    sheet.get_by_role("button", name="Save changes").click()
    expect(sheet.get_by_role("button", name="Shared")).to_be_visible()
    share = workstation.call("GET", f"/api/ports/{shop}")["share"]
    assert (share["allow"], share["max_uses"]) == (["127.0.0.0/8", "::1/128"], 2)

    visitor = contexts().new_page()
    visitor.goto(workstation.port_url(shop))
    visitor.locator("input[type=password]").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_role("heading", name="Hello from shop")).to_be_visible()
    sheet.get_by_role("button", name="Close").click()
    expect(row(page, shop)).to_contain_text("Password · no end · from 2 networks · 1 of 2 uses")


def test_a_generated_password_works_and_can_be_copied(workstation, shop, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sheet = open_sheet(page, shop)
    choose(sheet, "Password")
    sheet.get_by_role("button", name="Generate").click()
    field = sheet.get_by_label("Password", exact=True).last
    assert re.fullmatch(r"\w{16}", field.input_value())
    copies(sheet.get_by_role("button", name="Copy the password"))
    assert page.evaluate("navigator.clipboard.readText()") == field.input_value()


def test_the_link_is_copied_and_the_qr_code_says_the_same(workstation, shop, page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    workstation.call("POST", f"/api/ports/{shop}/share", {"mode": "public", "expires": "never"})
    expect(row(page, shop)).to_contain_text("Public")
    sheet = open_sheet(page, shop)
    copies(sheet.get_by_role("button", name="Copy the link"))
    assert page.evaluate("navigator.clipboard.readText()") == workstation.port_url(shop)
    sheet.get_by_role("button", name="QR code").click()
    code = sheet.get_by_role("img", name="QR code of")
    expect(code).to_be_in_viewport(ratio=1)
    # Read by a decoder that is none of ours, from the drawing.
    page.evaluate((workstation.ui / "node_modules/jsqr/dist/jsQR.js").read_text())
    text = code.evaluate(
        """async (svg) => {
            const copy = svg.cloneNode(true);
            copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
            copy.setAttribute('width', 400);
            copy.setAttribute('height', 400);
            const image = new Image();
            image.src = 'data:image/svg+xml,' + encodeURIComponent(copy.outerHTML);
            await image.decode();
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 400;
            const context = canvas.getContext('2d');
            context.fillStyle = '#fff';
            context.fillRect(0, 0, 400, 400);
            context.drawImage(image, 0, 0);
            return jsQR(context.getImageData(0, 0, 400, 400).data, 400, 400)?.data;
        }"""
    )
    assert text == workstation.port_url(shop)


def test_a_port_may_be_shared_before_it_listens(workstation, page, contexts):
    number = workstation.first + 7
    page.goto(f"{workstation.url}/#/ports/{number}/share")
    sheet = page.get_by_role("dialog", name=f"Share {number}")
    choose(sheet, "Public")
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("link", name=workstation.port_url(number))).to_be_visible()
    sheet.get_by_role("button", name="Close").click()
    expect(row(page, number)).to_contain_text("not running")
    expect(row(page, number).get_by_role("link", name=f"Share {number}", exact=True)).to_be_visible()
    workstation.serve(workstation.repo("late"), number)
    expect(row(page, number).get_by_role("link", name="Open")).to_be_visible()
    expect(row(page, number)).to_contain_text("Public until")


def test_an_error_of_the_agent_says_what_to_do(workstation, shop, page, errors):
    sheet = open_sheet(page, shop)
    choose(sheet, "Password")
    # Longer than the agent takes, which only the agent knows.
    sheet.get_by_label("Password", exact=True).last.fill("x" * 5000)
    sheet.get_by_role("button", name="Share", exact=True).click()
    alert = sheet.get_by_role("alert")
    expect(alert).to_be_visible()
    assert len(alert.inner_text()) > 30
    alert.get_by_text("Technical cause").click()
    expect(alert).to_contain_text(f"POST /api/ports/{shop}/share: 4")
    assert [text for text in errors if "status of 4" not in text] == []
    errors.clear()


def test_the_access_log_fills_while_it_is_read(workstation, shop, log_in, contexts, device):
    workstation.call(
        "POST", f"/api/ports/{shop}/share", {"mode": "password", "password": PASSWORD, "expires": "never"}
    )
    page = log_in(device)
    row(page, shop).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Access log").click()
    log = page.get_by_role("dialog", name=f"Access log of {shop}")
    expect(log).to_contain_text("Nobody has come yet.")

    visitor = contexts(user_agent="curl/8.5.0").new_page()
    visitor.goto(f"{workstation.port_url(shop)}/index.html?secret=1")
    visitor.locator("input[type=password]").fill("wrong")
    visitor.keyboard.press("Enter")
    expect(log.get_by_role("cell", name="Turned away: wrong password").first).to_be_visible()
    expect(visitor.get_by_role("alert")).to_contain_text("This is not the password.")
    visitor.locator("input[type=password]").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    visitor.get_by_role("heading", name="Hello from shop").wait_for()
    expect(log.get_by_role("cell", name="Let in: gave the password")).to_be_visible()
    let_in = (
        log.get_by_role("row").filter(has_text="Let in: had the password").filter(has_text="GET /index.html")
    )
    expect(let_in).to_contain_text("127.0.0.1")
    expect(let_in).to_contain_text("curl")
    expect(let_in).to_contain_text("GET /index.html")
    expect(log).not_to_contain_text("secret=1")
    assert workstation.overflow(page) == 0

    # What came live is what the agent keeps. The visitor's browser may ask for its favicon meanwhile.
    head, *seen = log.get_by_role("row").all_inner_texts()
    page.reload()
    expect(let_in).to_be_visible()
    again, *kept = log.get_by_role("row").all_inner_texts()
    assert (again, kept[-len(seen) :]) == (head, seen)


def test_a_share_made_in_the_terminal_shows_at_once(workstation, shop, page):
    expect(row(page, shop)).to_contain_text("Private")

    def share():
        workstation.call("POST", f"/api/ports/{shop}/share", {"mode": "private"})
        expect(row(page, shop)).to_contain_text("Private")
        workstation.call("POST", f"/api/ports/{shop}/share", {"mode": "public", "expires": "7d"})
        return lambda: expect(row(page, shop)).to_contain_text("Public until")

    promptly(2, share)
    page.get_by_text("1 port running, 1 shared").wait_for()
    row(page, shop).get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name="Stop sharing").click()
    expect(row(page, shop)).to_contain_text("Private · only you")
    expect(page.get_by_role("status")).to_contain_text(f"{shop} is private again.")


@pytest.mark.skipif(shutil.which("node") is None, reason="left out: node is not installed")
def test_a_debugger_is_told_of_before_it_is_shared(workstation, log_in, device):
    workstation.spawn("node", f"--inspect=127.0.0.1:{workstation.first}", "-e", "setInterval(() => {}, 1000)")
    wait_for(
        lambda: any(port["pid"] for port in workstation.call("GET", "/api/ports")),
        "the inspector's owner is known",
    )
    page = log_in(device)
    sheet = open_sheet(page, workstation.first)
    told = sheet.get_by_role("note")
    expect(told).to_have_text(
        re.compile(rf"^Port {workstation.first} is Node's inspector: whoever can open it can run any")
    )
    assert workstation.overflow(page) == 0


def test_a_server_without_http_is_told_of_with_the_command_that_fits(workstation, log_in, device):
    # Another program under the name that PostgreSQL's processes have; its socket was opened for it.
    with socket.create_server(("127.0.0.1", workstation.first)) as listener:
        workstation.spawn("postgres", "600", executable=shutil.which("sleep"), pass_fds=[listener.fileno()])
    wait_for(
        lambda: any(port["pid"] for port in workstation.call("GET", "/api/ports")),
        "the port's owner is known",
    )
    page = log_in(device)
    sheet = open_sheet(page, workstation.first)
    told = sheet.get_by_role("note")
    expect(told).to_contain_text("is PostgreSQL, which does not speak HTTP")
    expect(told.get_by_role("code")).to_have_text(f"homeport tcp {workstation.first}")
    assert workstation.overflow(page) == 0


def test_a_port_outside_the_ranges_cannot_be_shared(workstation, page, errors):
    page.goto(f"{workstation.url}/#/ports/22/share")
    sheet = page.get_by_role("dialog", name="Share 22")
    choose(sheet, "Public")
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("alert")).to_contain_text("homeport_port_ranges")
    errors.clear()  # the browser's own line about the answer 422


def test_a_paused_share_says_what_has_the_port_and_goes_on_by_a_click(workstation, shop, log_in, device):
    workstation.call("POST", f"/api/ports/{shop}/share", {"mode": "public"})
    page = log_in(device)
    workstation.stop_servers()
    workstation.serve(workstation.repo("blog"), shop)
    paused = row(page, shop).get_by_text("Paused")
    paused.wait_for()
    expect(row(page, shop)).to_contain_text("shared for shop")
    row(page, shop).get_by_role("button", name=f"Resume the share of {shop}").click()
    paused.wait_for(state="detached")
    expect(row(page, shop)).to_contain_text("Public")
    assert workstation.call("GET", f"/api/ports/{shop}/share")["paused"] is None


def test_one_password_opens_every_name_below_a_port(workstation, shop, log_in, contexts, errors):
    """Chromium keeps one cookie for N.localhost and the names below it."""
    page = log_in({})
    sheet = open_sheet(page, shop)
    choose(sheet, "Password")
    sheet.get_by_label("Password", exact=True).last.fill(PASSWORD)
    sheet.get_by_text("More options").click()
    sheet.get_by_text(f"Names below it lead here too, such as foo.{shop}.localhost").click()
    sheet.get_by_role("button", name="Share", exact=True).click()
    expect(sheet.get_by_role("button", name="Shared")).to_be_disabled()
    assert workstation.call("GET", f"/api/ports/{shop}")["share"]["subdomains"] is True

    def below(label):
        return workstation.port_url(shop).replace("//", f"//{label}.")

    visitor = contexts().new_page()
    visitor.goto(below("foo"))
    visitor.locator("input[type=password]").fill(PASSWORD)
    visitor.keyboard.press("Enter")
    expect(visitor.get_by_text("Hello from shop")).to_be_visible()
    for address in (below("bar"), workstation.port_url(shop)):
        visitor.goto(address)
        expect(visitor.get_by_text("Hello from shop")).to_be_visible()
    # The owner is handed off to the name that was asked for.
    page.goto(below("foo"))
    page.get_by_role("link", name="open it as its owner").click()
    errors.clear()  # the 401 of the password's page
    expect(page.get_by_text("Hello from shop")).to_be_visible()
    assert page.url.startswith(below("foo"))
