"""An edge without TLS: a tunnel's rules hold on its domains, refusals say why, the watch goes on by itself."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from homeportd.domains.transitions import CheckIntervals
from homeportd.edge.store import ReservationStore

from ..authorities import change
from ..edge.devserver import serving
from ..edge.helper import until_async
from .acme_edge import BASE

DOMAIN = "app.custom.test"


@pytest.fixture
def scheme():
    return "http"


@pytest.fixture
def quick(monkeypatch):
    """A watch that checks each fifth of a second. Ahead of `peer` among a test's fixtures."""
    monkeypatch.setattr(
        "homeportd.assembly.edge.INTERVALS", CheckIntervals(pending=0.2, pending_most=0.2, settled=0.2)
    )


async def leads_here(acme_edge, peer, domain=DOMAIN):
    change(acme_edge.knot, "test", domain.removesuffix(".test"), "CNAME", f"app.{BASE}.")
    made = await peer.post("/api/domains", json={"domain": domain, "name": "app"})
    assert (made.status_code, made.json()["state"]) == (201, "verified"), made.text
    return made.json()


async def status(acme_edge, wanted, **options):
    async def there():
        answer = await acme_edge.ask(DOMAIN, **options)
        return answer if answer.status_code == wanted else None

    return await until_async(there)


async def test_without_tls_verified_is_the_end(traefik, peer, client):
    async with serving() as port:
        await (await client(port)).open("http", name="app", host="localhost:3000")
        seen = await leads_here(traefik, peer)
        assert seen["url"] == f"http://{DOMAIN}:{traefik.web}"
        assert (seen["certificate"], seen["error"]) == (None, None)
        headers = {"Origin": f"http://{DOMAIN}:{traefik.web}", "X-Forwarded-For": "203.0.113.9"}
        answer = await status(traefik, 200, headers=headers)
        got = answer.json()["headers"]
        assert (got["host"], got["origin"]) == ("localhost:3000", "http://localhost:3000")
        assert not [name for name in got if name.startswith("x-homeport")]
        assert "203.0.113.9" not in got["x-forwarded-for"]  # the visitor's own word


async def test_whoever_comes_before_traefik_has_the_route_is_asked_to_try_again(acme_edge, peer, client):
    async with httpx.AsyncClient(base_url=f"http://{acme_edge.settings.listen}", timeout=10) as traefik:

        async def ask():
            answer = await traefik.get("/", headers={"Host": f"App.Custom.test:{acme_edge.web}"})
            return answer.status_code, answer.headers.get("retry-after")

        assert await ask() == (404, None)
        await leads_here(acme_edge, peer)
        assert await ask() == (503, "1")
        assert (await peer.delete(f"/api/domains/{DOMAIN}")).status_code == 204
        assert await ask() == (404, None)


async def test_allowlists_hold_on_domains(traefik, peer, client):
    async with serving() as port:
        link = await client(port)
        await link.open("http", name="app")
        seen = await leads_here(traefik, peer)
        await status(traefik, 200)
        rules = {"allow": ["192.0.2.0/24"]}
        assert (await peer.put(f"/api/reservations/{seen['reservation']}", json=rules)).status_code == 200
        await status(traefik, 403)


async def test_passcodes_hold_on_domains(traefik, peer, client):
    async with serving() as port:
        await (await client(port)).open("http", name="app", passcode="sesame")
        await leads_here(traefik, peer)
        await status(traefik, 401)
        right = await traefik.ask(
            DOMAIN, "/.homeport/passcode", method="POST", data={"password": "sesame", "next": "/a"}
        )
        assert (right.status_code, right.headers["location"]) == (303, "/a")
        cookie = right.headers["set-cookie"].partition(";")[0]
        seen = (await traefik.ask(DOMAIN, headers={"Cookie": f"theirs=1; {cookie}"})).json()["headers"]
        assert seen["cookie"] == "theirs=1"
        assert (await traefik.ask(DOMAIN, "/api/status")).status_code == 401  # the edge's API is not here


async def test_the_api_is_not_on_domains(traefik, peer, client):
    await leads_here(traefik, peer)
    await status(traefik, 502)
    answer = await traefik.ask(DOMAIN, "/api/health")
    assert answer.status_code == 502  # the tunnel's, which has no client


REFUSED = (
    ({"domain": "nonsense", "name": "app"}, 422, "no domain"),
    ({"domain": f"x.{BASE}", "name": "app"}, 422, "one of this edge's own names"),
    ({"domain": BASE, "name": "app"}, 422, "one of this edge's own names"),
    ({"domain": DOMAIN, "name": "nobody"}, 404, "reservation nobody does not exist"),
    ({"domain": DOMAIN}, 422, "name"),
    ({"domain": "x" * 5000, "name": "app"}, 422, "domain"),
    ({"domain": DOMAIN, "name": "app", "more": 1}, 422, "more"),
)


async def test_refusals_say_what_to_do(peer, client, ports):
    await peer.post("/api/reservations", json={"kind": "tcp", "port": ports[0]})
    of_tcp = {"domain": DOMAIN, "name": str(ports[0])}
    for body, code, said in (*REFUSED, (of_tcp, 422, "a TCP port, and domains lead to HTTP names")):
        answer = await peer.post("/api/domains", json=body)
        assert answer.status_code == code, answer.text
        assert said in answer.json()["detail"]
        assert answer.json()["fix"]
    assert (await peer.get("/api/domains")).json() == []


async def test_a_domain_leads_to_one_name(acme_edge, peer, client):
    await peer.post("/api/reservations", json={"kind": "http", "name": "other"})
    await leads_here(acme_edge, peer)
    again = await peer.post("/api/domains", json={"domain": DOMAIN.upper(), "name": "other"})
    assert (again.status_code, "leads to app already" in again.json()["detail"]) == (409, True)
    assert [d["domain"] for d in (await peer.get("/api/domains")).json()] == [DOMAIN]
    for path in ("none.example.org", "no%20domain"):
        assert (await peer.get(f"/api/domains/{path}")).status_code in (404, 422)


async def test_a_reservation_that_is_being_removed_gets_no_domain(acme_edge, peer, client, monkeypatch):
    begun, gate, delete = asyncio.Event(), asyncio.Event(), ReservationStore.delete

    async def slowly(self, tunnel_id):
        begun.set()
        await gate.wait()
        await delete(self, tunnel_id)

    monkeypatch.setattr(ReservationStore, "delete", slowly)
    (kept,) = (await peer.get("/api/reservations")).json()
    removing = asyncio.create_task(peer.delete(f"/api/reservations/{kept['id']}"))
    await begun.wait()
    adding = asyncio.create_task(peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"}))
    await asyncio.wait((adding,), timeout=0.5)  # where nothing held it back, it would be done
    gate.set()
    assert (await removing).status_code == 204
    assert (await adding).status_code == 404
    assert (await peer.get("/api/domains")).json() == []


async def test_only_the_owner(visitor, client):
    assert (await visitor.get("/api/domains")).status_code == 401
    assert (await visitor.post("/api/domains", json={"domain": DOMAIN, "name": "app"})).status_code == 401
    assert (await visitor.delete(f"/api/domains/{DOMAIN}")).status_code == 401


async def test_the_watch_needs_nobody(quick, acme_edge, peer, client):
    since = (await peer.get("/api/events")).json()
    made = await peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"})
    assert made.json()["state"] == "pending"
    change(acme_edge.knot, "test", "app.custom", "A", "192.0.2.1")

    async def state(wanted, said=""):
        async def there():
            seen = (await peer.get(f"/api/domains/{DOMAIN}")).json()
            return seen["state"] == wanted and (not said or said in seen["error"]["detail"])

        await until_async(there)

    await state("pending", "leads to 192.0.2.1, not to this edge")
    change(acme_edge.knot, "test", "app.custom", "A", "127.0.0.1")
    await state("verified")
    change(acme_edge.knot, "test", "app.custom", "A", "192.0.2.1")
    await state("error", "192.0.2.1")
    await peer.delete(f"/api/domains/{DOMAIN}")
    reservation = f"{since['epoch']}:{since['id']}"
    told = (await peer.get("/api/events", params={"since": reservation})).json()["events"]
    mine = [e for e in told if e["type"].startswith("domain.")]
    assert mine[0]["data"]["state"] == "pending"
    assert {"verified", "error"} <= {e["data"].get("state") for e in mine}
    assert (mine[-1]["type"], mine[-1]["data"]) == ("domain.removed", {"domain": DOMAIN})


@pytest.fixture
def slowing(monkeypatch):
    """A watch whose checks are soon minutes apart. Ahead of `peer` among a test's fixtures."""
    monkeypatch.setattr("homeportd.assembly.edge.INTERVALS", CheckIntervals(pending=0.2, pending_most=600))


async def test_who_asks_often_waits_no_longer(slowing, acme_edge, peer, client):
    await peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"})
    for _ in range(20):
        assert (await peer.post(f"/api/domains/{DOMAIN}/check")).json()["state"] == "pending"
    change(acme_edge.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")

    async def verified():
        return (await peer.get(f"/api/domains/{DOMAIN}")).json()["state"] == "verified"

    await until_async(verified)
