"""The dashboard at the edge's own origin: its own login, and no other page may use it."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from ..conftest import promptly, watch_errors

PASSWORD = "correct horse battery"


def test_the_login_is_of_this_origin_alone(workstation, contexts, errors):
    page = contexts().new_page()
    watch_errors(page, errors)
    page.goto(f"{workstation.admin}/")
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()
    errors.clear()  # the browser complains of the 401
    page.goto(workstation.admin_link())
    expect(page.get_by_role("link", name="Tunnels")).to_be_visible()
    # Live: the WebSocket was let in from this origin.
    workstation.call("POST", "/api/reservations", {"kind": "http", "name": "docs"})
    page.goto(f"{workstation.admin}/#/tunnels")
    expect(page.get_by_role("link", name="docs", exact=True)).to_be_visible()
    names = (f"more-{number}" for number in range(9))

    def reserve():
        name = next(names)
        workstation.call("POST", "/api/reservations", {"kind": "http", "name": name})
        return lambda: expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()

    promptly(3, reserve)
    expect(page.locator("[data-disconnected]")).to_have_count(0)
    # The other origin does not know this browser.
    page.goto(f"{workstation.url}/")
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()
    errors.clear()


def test_the_password_lets_in_here_too(workstation, contexts, errors):
    workstation.call("PUT", "/api/password", {"password": PASSWORD})
    page = contexts().new_page()
    page.goto(f"{workstation.admin}/#/tokens")
    page.get_by_label("Dashboard password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Tokens")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in with a link")).to_be_visible()


ATTEMPT = """async admin => {
    const answers = [];
    for (const [method, path, body] of [
        ['POST', '/api/tokens', '{"name": "stolen"}'],
        ['DELETE', '/api/session', null],
    ]) {
        try {
            await fetch(admin + path, {method, body, mode: 'no-cors', credentials: 'include'});
        } catch {}
        try {
            const answer = await fetch(admin + path, {method, body, credentials: 'include'});
            answers.push(answer.status);
        } catch { answers.push('refused'); }
    }
    answers.push(await new Promise(done => {
        const socket = new WebSocket(admin.replace('http', 'ws') + '/api/events');
        socket.onmessage = () => done('listening');
        socket.onclose = () => done('refused');
    }));
    return answers;
}"""


@pytest.mark.parametrize("where", ["tunnel", "workstation"])
def test_a_foreign_page_cannot_use_the_owners_login(workstation, client, web_server, at_edge, errors, where):
    """The tunnel is of the same site, so that the browser sends it the cookie; its Origin gives it away."""
    client.open("http", str(web_server), "--domain", "evil")
    page = at_edge()
    workstation.routed("evil")
    expect(page.get_by_role("link", name="evil", exact=True)).to_be_visible()
    names = [token["name"] for token in workstation.call("GET", "/api/tokens")]
    stranger = page.context.new_page()
    url = f"http://evil.tunnel.localhost:{workstation.web}" if where == "tunnel" else workstation.url
    stranger.goto(f"{url}/")
    assert stranger.evaluate(ATTEMPT, workstation.admin) == ["refused"] * 3
    assert [token["name"] for token in workstation.call("GET", "/api/tokens")] == names
    page.reload()
    expect(page.get_by_role("link", name="evil", exact=True)).to_be_visible()
    errors.clear()


def test_the_page_is_in_no_frame(workstation, client, web_server, at_edge, errors):
    client.open("http", str(web_server), "--domain", "evil")
    page = at_edge()
    workstation.routed("evil")
    stranger = page.context.new_page()
    stranger.goto(f"http://evil.tunnel.localhost:{workstation.web}/")
    stranger.evaluate(
        """admin => new Promise(done => {
            const frame = document.createElement('iframe');
            frame.onload = done; frame.src = admin; document.body.append(frame);
        })""",
        f"{workstation.admin}/",
    )
    assert stranger.frames[1].locator("#app").count() == 0
    errors.clear()


@contextmanager
def told(page, workstation, **changes):
    """The page, with these in the status that the agent tells it."""
    # Not by route.fetch(): it asks the machine's resolver, which may not know names below localhost.
    page.route(
        "**/api/status",
        lambda route: route.fulfill(json={**workstation.call("GET", "/api/status"), **changes}),
    )
    try:
        yield
    finally:
        # The page asks once more when its socket is up, which may be later than what a test looks for.
        page.unroute_all(behavior="wait")


def test_a_workstation_without_an_edge_shows_none_of_it(workstation, contexts, errors):
    """The same page, told that this machine is no edge."""
    page = contexts().new_page()
    watch_errors(page, errors)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with told(page, workstation, edge=None):
        page.goto(workstation.login_link())
        page.get_by_label("Filter ports and repos").wait_for()
        places = page.get_by_role("navigation", name="Places")
        expect(places.get_by_role("link")).to_have_text(["Home", "Settings"])
        page.goto(f"{workstation.url}/#/tunnels")
        expect(page.get_by_role("heading", name="Nothing listens yet")).to_be_visible()
        assert not [url for url in asked if "/part-" in url or "/api/tunnels" in url]


def test_an_edge_alone_begins_with_its_tunnels(workstation, contexts, errors):
    """The same page, told that this machine is no workstation: it asks for no ports."""
    page = contexts().new_page()
    watch_errors(page, errors)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    with told(page, workstation, origin=None):
        page.goto(workstation.admin_link())
        expect(page.get_by_role("heading", name="No tunnel yet")).to_be_visible()
        places = page.get_by_role("navigation", name="Places")
        expect(places.get_by_role("link")).to_have_text(["Tunnels", "Settings"])
        expect(places.get_by_role("link", name="Tunnels")).to_have_attribute("aria-current", "page")
        expect(page.get_by_role("region", name="Load")).to_contain_text("CPU")
        assert not [url for url in asked if url.endswith(("/api/ports", "/api/repos"))]
