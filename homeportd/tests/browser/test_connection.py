"""A lost connection: said quietly, and healed without a hand."""

from __future__ import annotations

import json

from playwright.sync_api import expect


def test_the_line_heals_and_nothing_was_missed(home, page, errors):
    first, second = home.first, home.first + 1
    folder = home.repo("shop")
    server = home.serve(folder, first)
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()

    home.stop_agent()
    line = page.locator("[data-lost]")
    expect(line).to_contain_text("Connection lost. This is how things were at")
    expect(page.get_by_role("status")).to_have_text("Connection lost. Homeport keeps trying.")
    # What was known is still there to read.
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()
    home.stop(server)
    home.serve(folder, second)

    home.start_agent()
    expect(line).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text("Connected again.")
    expect(page.locator(f"[data-port='{first}']")).to_have_count(0)
    expect(page.locator(f"[data-port='{second}']")).to_be_visible()
    # Live again, not only fetched.
    home.serve(folder, first)
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()
    errors.clear()


def test_what_was_missed_is_replayed_not_fetched_again(home, contexts, errors):
    number = home.first
    folder = home.repo("shop")
    page = contexts().new_page()
    lines = []
    hellos = []
    down = False

    def line(socket):
        """Between page and agent: cut when the test says so."""
        lines.append(socket)
        if down:
            socket.close()
            return
        server = socket.connect_to_server()

        def pass_on(message):
            if '"hello"' in message:
                hellos.append(json.loads(message)["data"]["resumed"])
            socket.send(message)

        server.on_message(pass_on)

    page.route_web_socket("**/api/events*", line)
    page.goto(home.login_link())
    expect(page.get_by_role("heading", name="Nothing listens yet")).to_be_visible()
    home.serve(folder, number)
    expect(page.locator(f"[data-port='{number}']")).to_be_visible()
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))

    down = True
    lines[-1].close()
    home.serve(folder, number + 1)
    wait = {port["port"] for port in home.call("GET", "/api/ports")}
    while number + 1 not in wait:
        page.wait_for_timeout(50)
        wait = {port["port"] for port in home.call("GET", "/api/ports")}
    expect(page.locator("[data-lost]")).to_be_visible()
    expect(page.locator(f"[data-port='{number + 1}']")).to_have_count(0)
    down = False
    page.get_by_role("button", name="Try now").click()
    expect(page.locator(f"[data-port='{number + 1}']")).to_be_visible()
    expect(page.locator("[data-lost]")).to_have_count(0)
    assert hellos == [False, True]
    assert "since=" in lines[-1].url
    assert not [url for url in fetched if url.endswith("/api/ports")]
    errors.clear()


def test_an_agent_that_is_down_from_the_start_is_explained(home, contexts, errors):
    page = contexts().new_page()
    page.goto(home.login_link())
    page.get_by_label("Filter ports and repos").wait_for()
    # The page is there, the agent behind it is not: what a browser with the page in its cache sees.
    page.route("**/api/**", lambda route: route.fulfill(status=503, body="closed"))
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Homeport is not answering properly")
    expect(page.get_by_role("alert")).to_contain_text("homeport doctor")
    page.get_by_text("Technical cause").click()
    expect(page.get_by_role("alert")).to_contain_text("GET /api/session: 503")
    page.unroute("**/api/**")
    page.get_by_role("button", name="Try again").click()
    page.get_by_label("Filter ports and repos").wait_for()
    errors.clear()
