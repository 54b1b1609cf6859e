"""Getting in, staying in, and getting out."""

from __future__ import annotations

import getpass

import pytest
from playwright.sync_api import expect

from ..installation import wait_for
from .conftest import palette

PASSWORD = "a password of the dashboard"


@pytest.fixture
def stranger(workstation, contexts, device, errors):
    """A browser that has never been here."""
    page = contexts(**device).new_page()
    yield page
    errors.clear()


def test_the_login_page_says_how_to_get_in(workstation, stranger):
    stranger.goto(workstation.url)
    expect(stranger.get_by_text("homeport login-link")).to_be_visible()
    expect(stranger.get_by_role("button", name="Copy homeport login-link")).to_be_visible()
    assert workstation.overflow(stranger) == 0
    stranger.evaluate((workstation.ui / "node_modules/axe-core/axe.min.js").read_text())
    found = stranger.evaluate("axe.run()")["violations"]
    assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_a_used_link_leads_to_the_login_page_that_says_so(workstation, stranger):
    link = workstation.login_link()
    stranger.goto(link)
    stranger.get_by_label("Filter ports and repos").wait_for()
    stranger.context.clear_cookies()
    stranger.goto(link)
    expect(stranger.get_by_text("That link was used before or is too old.")).to_be_visible()


def test_the_password_lets_in_and_a_wrong_one_does_not(workstation, stranger):
    workstation.call("PUT", "/api/password", {"password": PASSWORD})
    stranger.goto(f"{workstation.url}/#/settings")
    stranger.get_by_label("Dashboard password").fill("wrong")
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("alert")).to_contain_text("The password is wrong.")
    stranger.get_by_label("Dashboard password").fill(PASSWORD)
    stranger.get_by_role("button", name="Log in").click()
    # To where the link led.
    expect(stranger.get_by_role("heading", name="Settings")).to_be_visible()
    stranger.get_by_role("button", name="Log out").click()
    expect(stranger.get_by_role("heading", name="Log in with a link")).to_be_visible()
    stranger.reload()
    expect(stranger.get_by_role("heading", name="Log in with a link")).to_be_visible()


def test_a_private_port_asks_for_the_login_and_goes_on_to_the_port(workstation, stranger):
    workstation.call("PUT", "/api/password", {"password": PASSWORD})
    workstation.serve(workstation.repo("shop"), workstation.first)
    stranger.goto(f"{workstation.url}/handoff?port={workstation.first}&next=/index.html")
    stranger.get_by_label("Dashboard password").fill(PASSWORD)
    stranger.get_by_role("button", name="Log in").click()
    expect(stranger.get_by_role("heading", name="Hello from shop")).to_be_visible()
    expect(stranger).to_have_url(f"{workstation.port_url(workstation.first)}/index.html")


@pytest.mark.parametrize("away", ["//example.com/", "/\\example.com/", "https://example.com/"])
def test_the_login_leads_nowhere_else(workstation, contexts, errors, away):
    workstation.call("PUT", "/api/password", {"password": PASSWORD})
    page = contexts().new_page()
    page.goto(f"{workstation.url}/?next={away}")
    page.get_by_label("Dashboard password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Filter ports and repos").wait_for()
    expect(page).to_have_url(f"{workstation.url}/")


def test_a_session_that_ends_shows_the_login_page(workstation, page, errors):
    palette(page, "tokens")
    page.context.clear_cookies()  # from here on the page may find out by itself, too
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()
    errors.clear()


def test_what_comes_after_the_log_out_shows_nothing(workstation, contexts):
    page = contexts().new_page()
    asked = []

    def hold(route):
        """The second time, which is when the page is connected, the answer comes late."""
        asked.append(route)
        if len(asked) != 2:
            route.continue_()

    page.route("**/api/repos", hold)
    page.goto(workstation.login_link())
    page.get_by_label("Filter ports and repos").wait_for()
    wait_for(lambda: page.wait_for_timeout(50) or len(asked) == 2, "the page asks again")
    page.get_by_role("link", name="Settings").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()
    with page.expect_response("**/api/repos"):
        asked[1].fulfill(json=workstation.call("GET", "/api/repos"))
    page.wait_for_timeout(500)
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()


def test_the_settings_say_whom_the_agent_serves(workstation, page):
    page.goto(f"{workstation.url}/#/settings")
    account = page.get_by_role("region", name="Account")
    expect(account).to_contain_text(f"serves {getpass.getuser()}: root installed Homeport")
    expect(account.get_by_text("bin/site -e homeport_user=NAME")).to_be_visible()


def test_tokens_are_shown_once_and_can_be_revoked(workstation, page):
    page.goto(f"{workstation.url}/#/settings")
    section = page.get_by_role("region", name="Tokens")
    section.get_by_label("Name of the new token").fill("laptop")
    section.get_by_role("button", name="Create").click()
    secret = section.locator("[data-secret] code").inner_text()
    assert secret.startswith("hp_")
    authorized = {"Authorization": f"Bearer {secret}"}
    fresh = page.context.browser.new_context()
    try:
        assert fresh.request.get(f"{workstation.url}/api/ports", headers=authorized).ok
        page.reload()
        expect(section.get_by_text("laptop")).to_be_visible()
        expect(section.get_by_text(secret)).to_have_count(0)
        section.get_by_role("button", name="Revoke laptop").click()
        question = page.get_by_role("dialog", name="Revoke laptop?")
        question.get_by_role("button", name="Cancel").click()
        assert fresh.request.get(f"{workstation.url}/api/ports", headers=authorized).ok
        section.get_by_role("button", name="Revoke laptop").click()
        question.get_by_role("button", name="Revoke laptop").click()
        expect(question).to_have_count(0)  # it stays until the agent has answered
        expect(section.get_by_role("button", name="Revoke laptop")).to_have_count(0)
        assert fresh.request.get(f"{workstation.url}/api/ports", headers=authorized).status == 401
    finally:
        fresh.close()


def test_the_password_is_set_in_the_settings(workstation, page):
    page.goto(f"{workstation.url}/#/settings")
    field = page.get_by_label("New password")
    field.fill("short")
    expect(page.get_by_text("5 of at least 8 characters.")).to_be_visible()
    expect(page.get_by_role("button", name="Set password")).to_be_disabled()
    field.fill("long enough for anyone")
    page.get_by_role("button", name="Set password").click()
    expect(field).to_have_value("")  # once the agent has answered; that one is set may have been so before
    expect(page.get_by_text("One is set. A new one takes its place.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()
