"""The pages of the edge: what happens at the edge is seen at once, and can be ruled from there."""

from __future__ import annotations

import contextlib
import re

import pytest
from playwright.sync_api import expect

from ...installation import stop, wait_for
from ..conftest import DESKTOP, NARROW, at_rest, copies, palette, serious_faults
from .conftest import echo, hear, visiting

LONG_NAME = "a-long-name-" + "x" * 50
TOUCH_PX = 44


def row(page, label):
    return page.locator("[data-row]").filter(has=page.get_by_role("link", name=label, exact=True))


def tcp_port(workstation):
    return int(workstation.call("GET", "/api/status")["edge"]["tcp_ports"].partition("-")[0])


def test_an_empty_page_teaches(workstation, at_edge):
    page = at_edge()
    expect(page.get_by_role("heading", name="No tunnel yet")).to_be_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copies(page.get_by_role("button", name="Copy homeport init"))
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"homeport init --edge http://tunnel.localhost:{workstation.web}"


def test_a_tunnel_appears_moves_and_goes_offline(workstation, client, web_server, at_edge):
    page = at_edge()
    expect(page.get_by_role("heading", name="No tunnel yet")).to_be_visible()
    process = client.open("http", str(web_server), "--domain", "myapp")
    mine = row(page, "myapp")
    expect(mine).to_contain_text("Public · from anywhere")
    expect(mine.locator("[data-activity]")).to_contain_text("nothing has come yet")
    expect(mine.locator("[data-rates]")).to_have_text("quiet")
    expect(page.get_by_text("1 tunnel live")).to_be_visible()

    workstation.routed("myapp")
    with visiting(workstation, "myapp", "/big"):
        expect(mine.locator("[data-rates]")).to_have_text(re.compile(r"in \d.*/s, out \d.*[kM]B/s"))
    expect(mine.locator("[data-activity]")).to_contain_text(re.compile(r"last byte (just now|\d+ s ago)"))
    # It does not say "active" for ever: silence is told by the second.
    expect(mine.locator("[data-rates]")).to_have_text("quiet")
    expect(mine.locator("[data-activity]")).to_contain_text(re.compile(r"last byte \d+ s ago"))

    stop(process)
    expect(mine).to_contain_text("no client since today")
    expect(mine.locator("[data-rates]")).to_have_count(0)


def test_killing_asks_first_and_cuts_visitors_off(workstation, client, echo_server, at_edge):
    port = tcp_port(workstation)
    process = client.open("tcp", f"{echo_server}={port}")
    page = at_edge()
    workstation.tunnel(str(port))
    mine = row(page, str(port))
    with echo(port, b"hello") as visitor:
        expect(mine.locator("[data-activity]")).to_contain_text("1 connection")
        mine.get_by_role("button", name=f"More for {port}").click()
        page.get_by_role("menuitem", name="Kill").click()
        question = page.get_by_role("dialog", name=f"Kill {port}?")
        expect(question).to_contain_text("The reservation stays.")
        question.get_by_role("button", name="Cancel").click()
        visitor.sendall(b"still")
        assert hear(visitor, 5) == b"still"

        mine.get_by_role("button", name=f"More for {port}").click()
        page.get_by_role("menuitem", name="Kill").click()
        question.get_by_role("button", name=f"Kill {port}").click()
        expect(question).to_have_count(0)
        expect(mine).to_contain_text("no client since today")
        visitor.settimeout(60)
        with contextlib.suppress(ConnectionResetError):
            assert visitor.recv(1) == b""
    process.wait(60)


def test_chart_and_log_show_real_visits(workstation, client, web_server, at_edge):
    client.open("http", str(web_server), "--domain", "myapp")
    page = at_edge()
    workstation.routed("myapp")
    workstation.visit("myapp", "/big")
    row(page, "myapp").get_by_role("link", name="myapp", exact=True).click()
    sheet = page.get_by_role("dialog", name="Tunnel myapp")
    visits = sheet.locator("[data-connection-log]")
    expect(visits).to_contain_text("GET /big")
    expect(sheet.locator("figcaption")).to_contain_text("In the last hour")
    expect(sheet.locator("[data-minute]").first).to_be_attached()
    expect(sheet).to_contain_text("an hour ago")

    # A visit while the sheet is open.
    workstation.visit("myapp", "/none")
    expect(visits.get_by_role("listitem").first).to_contain_text("GET /none")
    expect(visits.get_by_role("listitem").first).to_contain_text("Answered 404")
    expect(sheet.locator("figcaption")).to_contain_text(re.compile(r"\d requests"))
    page.go_back()
    expect(sheet).to_have_count(0)
    expect(page).to_have_url(f"{workstation.admin}/#/tunnels")


def test_visitors_of_a_port_are_logged_as_they_come(workstation, client, echo_server, at_edge):
    port = tcp_port(workstation) + 1
    client.open("tcp", f"{echo_server}={port}")
    page = at_edge()
    tunnel = workstation.tunnel(str(port))
    page.goto(f"{workstation.admin}/#/tunnels/{tunnel['id']}")
    sheet = page.get_by_role("dialog", name=f"Tunnel {port}")
    expect(sheet).to_contain_text("Nobody has come yet")
    with echo(port, b"hello"):
        expect(sheet.locator("[data-connection-log]")).to_contain_text("Connected")
    expect(sheet.get_by_text(re.compile("Left after"))).to_be_visible()
    expect(sheet).to_contain_text("in 5 B, out 5 B")


def test_a_name_is_reserved_and_its_networks_are_changed(workstation, client, web_server, at_edge):
    page = at_edge("reservations")
    page.get_by_role("button", name="Reserve a name or port").click()
    sheet = page.get_by_role("dialog", name="Reserve a name or port")
    sheet.get_by_label("Name", exact=True).fill("no dots.please")
    sheet.get_by_role("button", name="Reserve").click()
    expect(sheet.get_by_text("Write one label of letters")).to_be_visible()
    sheet.get_by_label("Name", exact=True).fill("Docs")
    sheet.get_by_label("For").select_option(label=sheet.get_by_role("option", name="laptop").inner_text())
    expect(sheet.locator("[data-sentence]")).to_have_text("Anyone can open Docs, while a client holds it.")
    sheet.get_by_role("button", name="Reserve").click()
    expect(sheet).to_have_count(0)
    mine = row(page, "docs")
    expect(mine).to_contain_text("not live · for laptop")

    client.open("http", str(web_server), "--domain", "docs")
    expect(mine).to_contain_text("live · for laptop")
    expect(mine).not_to_contain_text("not live")
    workstation.routed("docs")

    mine.get_by_role("button", name="Change docs").click()
    sheet = page.get_by_role("dialog", name="Who may reach docs")
    sheet.get_by_label("Allowed networks").fill("203.0.113.5/33")
    sheet.get_by_role("button", name="Save changes").click()
    expect(sheet.get_by_text("must be 0 to 32")).to_be_visible()
    sheet.get_by_label("Allowed networks").fill("203.0.113.5/24")
    sheet.get_by_label("Connections at a time").fill("7")
    expect(sheet.locator("[data-sentence]")).to_contain_text("from 203.0.113.0/24 only")
    sheet.get_by_role("button", name="Save changes").click()
    expect(mine).to_contain_text("from 203.0.113.0/24")
    expect(mine).to_contain_text("at most 7 connections")
    (kept,) = workstation.call("GET", "/api/reservations")
    assert (kept["allow"], kept["limits"]["connections"]) == (["203.0.113.0/24"], 7)
    # Traefik keeps the rule: this test is not of that network.
    wait_for(lambda: workstation.visit("docs")[0] == 403, "Traefik has the rule")


def test_a_late_answer_does_not_undo_what_is_newer(workstation, at_edge):
    page = at_edge("reservations")
    held = []

    def hold(route):
        """The first answer, which is as old as its question, is kept back."""
        if route.request.method == "GET" and not held:
            held.append((route, workstation.call("GET", "/api/reservations")))
        else:
            route.continue_()

    page.route("**/api/reservations", hold)
    workstation.call("POST", "/api/reservations", {"kind": "http", "name": "first"})
    wait_for(lambda: page.wait_for_timeout(50) or held, "the page reads the reservations")
    page.evaluate("location.hash = '#/reservations/new/http/docs'")
    page.get_by_role("dialog").get_by_role("button", name="Reserve").click()
    expect(row(page, "docs")).to_be_visible()
    expect(row(page, "first")).to_be_visible()
    ((route, old),) = held
    assert "docs" not in {kept["name"] for kept in old}
    with page.expect_response("**/api/reservations"):
        route.fulfill(json=old)
    page.wait_for_timeout(500)
    expect(row(page, "docs")).to_be_visible()


def test_a_passcode_is_set_kept_and_taken_away(workstation, at_edge):
    page = at_edge("reservations/new/http/docs")
    sheet = page.get_by_role("dialog", name="Reserve a name or port")
    sheet.get_by_label("Passcode", exact=True).fill("open sesame")
    sheet.get_by_label("Names below it lead there too, such as foo.docs").check()
    sheet.get_by_role("button", name="Reserve").click()
    mine = row(page, "docs")
    expect(mine).to_contain_text("Passcode · from anywhere")
    assert workstation.call("GET", "/api/reservations")[0]["subdomains"] is True
    sheet = page.get_by_role("dialog", name="Who may reach docs")
    mine.get_by_role("link", name="docs", exact=True).click()
    sheet.get_by_role("button", name="Save changes").click()
    expect(sheet).to_have_count(0)
    expect(mine).to_contain_text("Passcode")
    mine.get_by_role("link", name="docs", exact=True).click()
    sheet.get_by_label("Ask nobody for a passcode any more").check()
    sheet.get_by_role("button", name="Save changes").click()
    expect(mine).to_contain_text("Public · from anywhere")


def test_what_the_edge_refuses_is_told_with_the_next_step(workstation, at_edge, errors):
    page = at_edge("reservations/new/http/admin")
    sheet = page.get_by_role("dialog", name="Reserve a name or port")
    sheet.get_by_role("button", name="Reserve").click()
    expect(sheet.get_by_role("alert")).to_contain_text("is kept for the edge itself")
    expect(sheet.get_by_label("Name", exact=True)).to_have_value("admin")
    errors.clear()


def test_a_reservation_is_removed_after_a_question(workstation, at_edge):
    workstation.call("POST", "/api/reservations", {"kind": "udp"})
    (kept,) = workstation.call("GET", "/api/reservations")
    page = at_edge("reservations")
    port = str(kept["port"])
    row(page, port).get_by_role("button", name=f"More for {port}").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", name="Nothing is reserved yet")).to_be_visible()
    assert workstation.call("GET", "/api/reservations") == []


def test_a_domain_shows_the_record_to_make(workstation, at_edge):
    workstation.call("POST", "/api/reservations", {"kind": "http", "name": "docs"})
    page = at_edge("domains")
    page.get_by_role("button", name="Add a domain").click()
    sheet = page.get_by_role("dialog", name="Add a domain")
    sheet.get_by_label("Domain", exact=True).fill("app.example.org")
    sheet.get_by_role("button", name="Add and show its record").click()
    # No DNS server answers in this test, and waiting for one is part of adding.
    mine = row(page, "app.example.org")
    expect(mine).to_contain_text("Pending · waiting for its DNS record")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    record = mine.locator("[data-record]").first
    copies(record.get_by_role("button", name="Copy the record's value"))
    assert page.evaluate("navigator.clipboard.readText()") == "docs.tunnel.localhost."
    mine.get_by_role("button", name="More for app.example.org").click()
    page.get_by_role("menuitem", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    expect(page.get_by_role("heading", name="No domain of your own yet")).to_be_visible()


def test_a_token_is_made_replaced_and_revoked(workstation, client, web_server, at_edge):
    client.open("http", str(web_server), "--domain", "myapp")
    workstation.routed("myapp")
    (laptop,) = workstation.call("GET", "/api/tokens")
    page = at_edge("tokens")
    page.get_by_label("Name of the new token").fill("tablet")
    page.get_by_role("button", name="Create").click()
    secret = page.locator("[data-secret] code").first.inner_text()
    assert secret.startswith("hp_")
    expect(page.locator("[data-secret]")).to_contain_text("homeport init --edge")
    made = next(token for token in workstation.call("GET", "/api/tokens") if token["name"] == "tablet")
    assert made["scope"] == "tunnel"
    page.reload()
    expect(page.get_by_text("tablet", exact=False).first).to_be_visible()
    expect(page.get_by_text(secret)).to_have_count(0)

    page.get_by_role("button", name="Replace laptop").click()
    page.get_by_text("At once").click()
    page.locator(f"[data-token='{laptop['id']}']").get_by_role("button", name="Replace laptop").last.click()
    expect(page.locator("[data-secret] code").first).to_have_text(re.compile("^hp_"))
    # The client was connected: it has the new one and keeps its name, whenever the old one is gone.
    page.wait_for_timeout(1500)
    workstation.routed("myapp")

    (fresh,) = (each for each in workstation.call("GET", "/api/tokens") if each["name"] == "laptop")
    page.locator(f"[data-token='{fresh['id']}']").get_by_role("button", name="Revoke laptop").click()
    question = page.get_by_role("dialog", name="Revoke laptop?")
    expect(question).to_contain_text("Clients that use it are cut off now")
    question.get_by_role("button", name="Revoke laptop").click()
    expect(question).to_have_count(0)
    expect(page.locator("[data-token]").filter(has_text="laptop")).to_have_count(0)
    wait_for(lambda: workstation.visit("myapp")[0] != 200, "the client is cut off")


def test_keys_and_palette_reach_all_of_it(workstation, client, web_server, at_edge):
    client.open("http", str(web_server), "--domain", "alpha")
    client.open("http", str(web_server), "--domain", "beta")
    workstation.tunnel("alpha")
    workstation.tunnel("beta")
    page = at_edge()
    expect(row(page, "beta")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("bet")
    expect(row(page, "alpha")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="beta", exact=True)).to_be_focused()
    page.keyboard.press("e")
    expect(page.get_by_role("dialog", name="Who may reach beta")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    palette(page, "kill alpha")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Kill alpha").click()
    expect(page.get_by_role("dialog")).to_have_count(0)  # it stays until the edge has answered
    expect(row(page, "alpha")).to_contain_text("no client since")
    for word, heading in (("domains", "No domain of your own yet"), ("tokens", "Tokens")):
        palette(page, word)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name=heading)).to_be_visible()


def cut_off(page):
    """What is wider than the place that it has, though it does not widen the page."""
    return page.evaluate(
        """() => [...document.querySelectorAll('dialog, dialog *, main *')]
            .filter(e => e.offsetParent && !e.matches('.sr-only, svg *') && e.scrollWidth > e.clientWidth + 1
                && getComputedStyle(e).display !== 'inline')
            .map(e => [e.scrollWidth - e.clientWidth, e.outerHTML.slice(0, 120)])"""
    )


@pytest.mark.parametrize("options", [DESKTOP, NARROW], ids=["desktop", "narrow"])
def test_every_page_fits_and_can_be_used_by_anyone(workstation, client, web_server, at_edge, options):
    workstation.call(
        "POST",
        "/api/reservations",
        {"kind": "http", "name": LONG_NAME, "allow": ["2001:db8:1234:5678:9abc:def0:1234:5678"]},
    )
    workstation.token("the-machine-" + "x" * 50)
    client.open("http", str(web_server), "--domain", "myapp")
    workstation.tunnel("myapp")
    workstation.call(
        "POST", "/api/domains", {"domain": "a-rather-long-label.app.example.org", "name": "myapp"}
    )
    page = at_edge("tunnels", options)
    (kept,) = (each for each in workstation.call("GET", "/api/reservations") if each["name"] == "myapp")
    for path, role, name in (
        ("tunnels", "region", "HTTP names"),
        ("reservations", "button", "Reserve a name or port"),
        ("domains", "button", "Add a domain"),
        ("tokens", "button", "Replace laptop"),
        (f"tunnels/{kept['id']}", "dialog", "Tunnel myapp"),
        (f"reservations/{kept['id']}", "dialog", "Who may reach myapp"),
        ("reservations/new/tcp", "dialog", "Reserve a name or port"),
        ("domains/new", "dialog", "Add a domain"),
    ):
        page.evaluate("path => { location.hash = path }", f"#/{path}")
        if role != "dialog":
            expect(page.get_by_role("dialog")).to_have_count(0)
        shown = page.get_by_role(role, name=name)
        expect(shown).to_be_visible()
        if role == "dialog":
            expect(shown).not_to_contain_text("Fetching")
        at_rest(page)
        assert workstation.overflow(page) == 0, path
        assert cut_off(page) == [], path
        assert serious_faults(page, workstation) == [], path
        if options is NARROW:
            small = page.evaluate(
                """least => [...document.querySelectorAll('button, nav a, a.button-quiet, input:not(.sr-only), select')]
                    .map(e => [e, e.closest('label:has(input[type=checkbox])') ?? e])
                    .filter(([e, t]) => t.offsetParent && t.getBoundingClientRect().height < least)
                    .map(([e]) => e.outerHTML.slice(0, 120))""",
                TOUCH_PX,
            )
            assert not small, (path, small)
    page.evaluate("location.hash = '#/reservations'")
    page.get_by_role("button", name=f"More for {LONG_NAME}").click()
    page.get_by_role("menuitem", name="Remove").click()
    expect(page.get_by_role("dialog", name=f"Remove the reservation of {LONG_NAME}?")).to_be_visible()
    assert cut_off(page) == []
    # The page that is open is seen among the tabs, and its place among the places.
    page.goto(f"{workstation.admin}/#/domains")
    page.reload()
    tab = page.get_by_role("navigation", name="Tunnels").get_by_role("link", name="Domains")
    expect(tab).to_be_in_viewport(ratio=1)
    expect(tab).to_have_attribute("aria-current", "page")
    place = page.get_by_role("navigation", name="Places").get_by_role("link", name="Tunnels")
    expect(place).to_be_in_viewport(ratio=1)
    expect(place).to_have_attribute("aria-current", "page")
