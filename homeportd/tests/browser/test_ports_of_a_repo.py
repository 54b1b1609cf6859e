"""A page on one port of a repo that calls a private API on another, with Homeport's cookie at the API's port."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from ..freeports import free_ports
from ..installation import listens, socket_folder, wait_for
from .conftest import BROWSERS, CHROMIUM_ARGUMENTS, PATIENCE_MS
from .workstation import SPAN, Workstation

DEVSERVER = Path(__file__).parents[1] / "gateway/devserver.py"

CALL = """async ([api, method]) => {
    try {
        const answer = await fetch(api, {method, credentials: "include", headers: {"X-Asked": "1"}});
        return [answer.status, await answer.text()];
    } catch (error) { return [0, String(error)]; }
}"""
HOT = """url => new Promise(resolve => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve("open");
    socket.onerror = () => resolve("refused");
})"""


@pytest.fixture(scope="module", params=["localhost", "dev.localhost"])
def agent(request, tmp_path_factory, dashboard):
    """An agent whose ports are sites of their own, and one whose ports are of one site."""
    first, *_, last = free_ports(SPAN)
    host = f"{request.param}:{first}"
    with socket_folder() as sockets:
        made = Workstation(tmp_path_factory.mktemp("agent"), sockets, first, first + 1, last)
        made.port_url = lambda number: f"http://{number}.{host}"
        made.configure(origin=f"http://{{port}}.{host}", user_reason="root")
        try:
            made.start_agent()
            made.start_caddy(origin=f"http://{{port}}.{host}")
            yield made
        finally:
            made.end()


@pytest.fixture
def page(workstation, playwright, tmp_path):
    """A page of a browser that lets sites have cookies in each other's pages, where the ports need that."""
    program = next(filter(None, map(shutil.which, BROWSERS)))
    if "dev." not in workstation.port_url(1):
        preferences = tmp_path / "profile/Default/Preferences"
        preferences.parent.mkdir(parents=True)
        preferences.write_text(json.dumps({"profile": {"cookie_controls_mode": 0}}))
    context = playwright.chromium.launch_persistent_context(
        tmp_path / "profile", executable_path=program, args=CHROMIUM_ARGUMENTS
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def test_the_owners_page_calls_a_private_api_of_its_repo(workstation, page):
    page_port, api_port, other_port = workstation.first, workstation.first + 1, workstation.first + 2
    shop, other = workstation.repo("shop"), workstation.repo("other")
    workstation.serve(shop, page_port)
    workstation.serve(other, other_port)
    command = [sys.executable, str(DEVSERVER), str(api_port)]
    workstation.processes.append(subprocess.Popen(command, cwd=shop))
    wait_for(lambda: listens(api_port), "the API listens")
    wait_for(
        lambda: len([port for port in workstation.call("GET", "/api/ports") if port["repo"]]) == 3,
        "the repos are known",
    )
    page.goto(workstation.login_link())
    address = workstation.port_url(api_port)
    allowed = f"{address}/?header=Access-Control-Allow-Origin:%20http://localhost:{page_port}"
    socket = address.replace("http", "ws") + "/echo-raw"
    page.goto(workstation.port_url(page_port))
    expect(page.get_by_text("Hello from shop")).to_be_visible()
    status, text = page.evaluate(CALL, [allowed, "POST"])
    assert (status, f"open {address} once" in text) == (401, True)  # the browser has never been there
    page.goto(address)
    page.goto(workstation.port_url(page_port))
    for method in ("GET", "POST", "PUT"):
        status, text = page.evaluate(CALL, [allowed, method])
        assert status == 200, text
        assert "homeport" not in text.replace("homeportd", "")  # our cookies stay here
    assert workstation.call("GET", f"/api/ports/{api_port}/logs")[0]["decision"] == "owner"
    # A page of another repo has the same browser, and no right.
    page.goto(workstation.port_url(other_port))
    for method in ("GET", "POST"):
        assert page.evaluate(CALL, [allowed, method])[0] == 0
    assert page.evaluate(HOT, socket) == "refused"
    # Logged out there, the page is a stranger again.
    page.goto(f"{address}/.homeport/logout")
    page.goto(workstation.port_url(page_port))
    assert page.evaluate(CALL, [allowed, "POST"])[0] == 401
