"""A port of a workstation that is shared by its edge: a browser there stays at the edge's name."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from ...cli.conftest import Homeport
from ...installation import wait_for
from ..conftest import watch_errors

PASSWORD = "open sesame"


def test_a_password_opens_the_page_at_the_edges_name(workstation, contexts, errors):
    port = workstation.first
    workstation.serve(workstation.repo("shop"), port)
    wait_for(
        lambda: port in [each["port"] for each in workstation.call("GET", "/api/ports")], "the port is seen"
    )
    here = Homeport(workstation.config)
    here.environment |= {"HOME": str(workstation.sockets)}  # a short path
    here.environment.pop("XDG_RUNTIME_DIR", None)
    assert here("daemon", "start").returncode == 0
    try:
        options = ("--password-stdin", "--max-uses", "1", "--via", "edge", "--domain", "shop")
        done = here("share", str(port), *options, input=PASSWORD)
        address = done.stdout.splitlines()[-1]
        assert address == f"http://shop.tunnel.localhost:{workstation.web}", done.stderr
        wait_for(lambda: workstation.visit("shop")[0] == 401, "the name is routed")
        page = contexts().new_page()
        watch_errors(page, errors)
        page.goto(f"{address}/index.html?from=phone")
        errors.clear()  # the browser complains of the 401
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("heading", name="Hello from shop")).to_be_visible()
        assert page.url == f"{address}/index.html?from=phone"
        page.reload()
        expect(page.get_by_role("heading", name="Hello from shop")).to_be_visible()
        assert workstation.call("GET", f"/api/ports/{port}/share")["uses"] == 1
        page.goto(f"{address}/.homeport/logout")
        page.goto(f"{address}/")
        expect(page.get_by_role("heading", name="This password is used up")).to_be_visible()
        errors.clear()
    finally:
        here("daemon", "stop")
        here.close()
        Path(here.environment["HOME"], ".config/homeport/edge.toml").unlink(missing_ok=True)
