"""`homeport domains` against a running edge."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from homeportd.app import agent
from homeportd.edge.traefik.routes import DOWN_FILE

from ..authorities import change
from ..conftest import QUICK_ROUNDS, over_socket
from .acme_edge import BASE

DOMAIN = "app.custom.test"


@pytest.fixture
def scheme():
    return "http"


@pytest.fixture
async def homeport(running, tmp_path):
    """Run a command: (exit code, what it printed, what it complained)."""
    config = tmp_path / "agent.toml"
    config.write_text(f'socket_dir = "{running.socket_dir}"\n[edge]\n')

    async def run(*arguments, **more):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "homeportd.cli",
            *arguments,
            env={**os.environ, "HOMEPORT_CONFIG": str(config), **more},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode, out.decode(), err.decode()

    return run


async def test_from_nothing_to_a_domain_and_back(homeport, client, acme_edge):
    code, out, _ = await homeport("domains", "list")
    assert (code, "homeport domains add" in out) == (0, True)
    code, out, _ = await homeport("domains", "add", DOMAIN, "app")
    assert code == 0
    assert f"  {DOMAIN}.  CNAME  app.{BASE}." in out
    assert f"{DOMAIN} has no DNS record yet." in out
    code, out, _ = await homeport("domains", "check", DOMAIN)
    assert (code, "pending" in out) == (12, True)
    change(acme_edge.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")
    code, out, _ = await homeport("domains", "check", DOMAIN)
    assert (code, f"http://{DOMAIN}:{acme_edge.web} works" in out) == (0, True)
    code, out, _ = await homeport("domains", "list", "--json")
    assert [(d["domain"], d["state"]) for d in json.loads(out)] == [(DOMAIN, "verified")]
    assert "verified" in (await homeport("domains", "list"))[1]
    code, out, err = await homeport("reservations", "remove", "app")
    assert (code, f"fix: homeport domains remove {DOMAIN}" in err) == (1, True)
    code, out, _ = await homeport("domains", "remove", DOMAIN)
    assert (code, "leads nowhere any more" in out) == (0, True)
    assert json.loads((await homeport("domains", "list", "--json"))[1]) == []


REFUSED = (
    (("add", "https://x.test/", "app"), 7),
    (("add", f"x.{BASE}", "app"), 7),
    (("add", DOMAIN, "nobody"), 4),
    (("add", DOMAIN), 2),
    (("check", DOMAIN), 4),
    (("remove", DOMAIN), 4),
)


async def test_refusals(homeport, client):
    for arguments, code in REFUSED:
        got, _, err = await homeport("domains", *arguments)
        assert (got, "fix: " in err) == (code, True), (arguments, err)


async def test_a_mapped_domain_is_taken(homeport, client):
    await homeport("domains", "add", DOMAIN, "app")
    assert (await homeport("domains", "add", DOMAIN, "app"))[0] == 6


async def test_completion(homeport, client):
    await homeport("domains", "add", DOMAIN, "app")
    words = {"_HOMEPORT_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    _, out, _ = await homeport(COMP_WORDS="homeport domains check ", **words)
    assert DOMAIN in out.split()
    _, out, _ = await homeport(COMP_WORDS="homeport domains add x.test ", **{**words, "COMP_CWORD": "4"})
    assert "app" in out.split()


async def test_help_has_examples(homeport):
    code, out, _ = await homeport("domains", "add", "--help")
    assert (code, "homeport domains add app.example.org myapp" in out) == (0, True)


async def test_a_restart_keeps_domains_and_their_routes(settings, acme_edge):
    change(acme_edge.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as api:
        await api.post("/api/reservations", json={"kind": "http", "name": "app"})
        before = (await api.post("/api/domains", json={"domain": DOMAIN, "name": "app"})).json()
        assert before["state"] == "verified"
    routes = acme_edge.settings.routes_dir
    (file,) = set(routes.glob("tunnel-*.yml")) - {routes / DOWN_FILE}  # which is there while the agent is not

    def rules():
        return [r["rule"] for r in json.loads(file.read_text())["http"]["routers"].values()]

    assert f"Host(`{DOMAIN}`)" in rules()
    # Written before anything else could be: Traefik never sees the name without its domain.
    seen = file.stat().st_mtime_ns
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as api:
        assert f"Host(`{DOMAIN}`)" in rules()
        after = (await api.get(f"/api/domains/{DOMAIN}")).json()
        assert (after["state"], after["created_at"]) == ("verified", before["created_at"])
    assert f"Host(`{DOMAIN}`)" in rules()
    assert file.stat().st_mtime_ns >= seen
