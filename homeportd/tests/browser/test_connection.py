"""A lost connection: said quietly, and healed without a hand."""

from __future__ import annotations

from playwright.sync_api import expect

from ..installation import stop, wait_for


def test_the_line_heals_and_nothing_was_missed(workstation, page, errors):
    first, second = workstation.first, workstation.first + 1
    folder = workstation.repo("shop")
    server = workstation.serve(folder, first)
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()

    workstation.stop_agent()
    line = page.locator("[data-disconnected]")
    expect(line).to_contain_text("Connection lost. This is how things were at")
    expect(page.get_by_role("status")).to_have_text("Connection lost. Homeport keeps trying.")
    # What was known is still there to read.
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()
    stop(server)
    workstation.serve(folder, second)

    workstation.start_agent()
    expect(line).to_have_count(0)
    expect(page.get_by_role("status")).to_have_text("Connected again.")
    expect(page.locator(f"[data-port='{first}']")).to_have_count(0)
    expect(page.locator(f"[data-port='{second}']")).to_be_visible()
    # Live again, not only fetched.
    workstation.serve(folder, first)
    expect(page.locator(f"[data-port='{first}']")).to_be_visible()
    errors.clear()


LINES = """
    Object.assign(window, {lines: [], hellos: [], down: false});
    window.WebSocket = class extends WebSocket {
        constructor(url) {
            super(url);
            lines.push(this);
            this.addEventListener('message', ({data}) => {
                const event = JSON.parse(data);
                if (event.type === 'hello') hellos.push(event.data.resumed);
            });
            if (down) this.close();
        }
    };
"""  # The page's own connections; `down` closes them as they are made.
FETCHED = "performance.getEntriesByType('resource').filter(({name}) => name.endsWith('/api/ports')).length"


def test_what_was_missed_is_replayed_not_fetched_again(workstation, contexts):
    number = workstation.first
    folder = workstation.repo("shop")
    page = contexts().new_page()
    page.add_init_script(LINES)
    page.goto(workstation.login_link())
    expect(page.get_by_role("heading", name="Nothing listens yet")).to_be_visible()
    workstation.serve(folder, number)
    expect(page.locator(f"[data-port='{number}']")).to_be_visible()
    # Once before it was connected, and once when it was.
    page.wait_for_function(f"{FETCHED} === 2")

    page.evaluate("() => { down = true; lines.at(-1).close(); }")
    workstation.serve(folder, number + 1)
    wait_for(
        lambda: number + 1 in {port["port"] for port in workstation.call("GET", "/api/ports")},
        "the agent sees the port",
    )
    expect(page.locator("[data-disconnected]")).to_be_visible()
    expect(page.locator(f"[data-port='{number + 1}']")).to_have_count(0)
    # In one go, and while no attempt is under way: the page tries by itself as well.
    page.get_by_role("button", name="Try now").evaluate("button => { window.tryNow = button; }")
    page.wait_for_function(
        """() => {
            if (lines.at(-1).readyState !== WebSocket.CLOSED) return false;
            down = false;
            const before = lines.length;
            tryNow.click();
            return lines.length === before + 1;
        }"""
    )
    expect(page.locator(f"[data-port='{number + 1}']")).to_be_visible()
    expect(page.locator("[data-disconnected]")).to_have_count(0)
    assert page.evaluate("hellos") == [False, True]
    assert "since=" in page.evaluate("lines.at(-1).url")
    assert page.evaluate(FETCHED) == 2


def test_lists_that_do_not_come_are_asked_for_again(workstation, page, errors):
    """Connected, but what was missed is not told: without the lists, what is seen would stay that of before."""
    workstation.stop_agent()
    workstation.serve(workstation.repo("shop"), workstation.first)
    page.route("**/api/ports", lambda route: route.fulfill(status=503, body="closed"), times=2)
    workstation.start_agent()
    expect(page.locator(f"[data-port='{workstation.first}']")).to_be_visible()
    expect(page.locator("[data-disconnected]")).to_have_count(0)
    errors.clear()


def test_an_agent_that_is_down_from_the_start_is_explained(workstation, contexts, errors):
    page = contexts().new_page()
    page.goto(workstation.login_link())
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
