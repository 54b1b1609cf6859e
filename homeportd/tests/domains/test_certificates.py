"""From a record to a certificate and back, with the real Pebble, knot and Traefik."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import datetime

import httpx
import pytest

from ..authorities import change
from ..edge.devserver import serving
from ..edge.helper import until_async
from .acme_edge import BASE
from .conftest import HTTP, TLS_ALPN

DOMAIN = "app.custom.test"
LATE_S = 120  # for what takes a few seconds where nothing else runs

pytestmark = pytest.mark.slow


async def reaches(peer, domain, state):
    seen = None

    async def there():
        nonlocal seen
        seen = (await peer.get(f"/api/domains/{domain}")).json()
        return seen if seen["state"] == state else None

    try:
        return await until_async(there, LATE_S)
    except TimeoutError:
        raise AssertionError(f"not {state}, but {seen}") from None


@pytest.mark.parametrize("challenge", [TLS_ALPN, HTTP], ids=["tls-alpn-01", "http-01"])
async def test_the_life_of_a_domain(traefik, peer, client, challenge):
    async with serving() as port:
        link = await client(port)
        await link.open("http", name="app")
        added = await peer.post("/api/domains", json={"domain": "App.Custom.test.", "name": "app"})
        assert added.status_code == 201, added.text
        seen = added.json()
        assert (seen["domain"], seen["name"], seen["state"]) == (DOMAIN, "app", "pending")
        assert seen["records"][0] == {"name": f"{DOMAIN}.", "type": "CNAME", "value": f"app.{BASE}."}
        assert {"name": f"{DOMAIN}.", "type": "A", "value": "127.0.0.1"} in seen["records"]
        assert seen["error"]["detail"] == f"{DOMAIN} has no DNS record yet"
        assert f"CNAME app.{BASE}." in seen["error"]["fix"]
        assert (await traefik.ask(DOMAIN, trust=False)).status_code == 404  # no route, so nobody asks for it

        change(traefik.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")
        assert (await peer.post(f"/api/domains/{DOMAIN}/check")).json()["state"] in ("verified", "issued")
        issued = await reaches(peer, DOMAIN, "issued")
        assert issued["certificate"]["issuer"].startswith("Pebble")
        assert issued["found"] == [f"CNAME app.{BASE}."]
        assert issued["error"] is None
        answer = await traefik.ask(DOMAIN)
        assert answer.json()["headers"]["host"] == f"{DOMAIN}:{traefik.tls}"
        told = (await peer.get("/api/events")).json()
        assert told["resumed"] is False

        after = await renewed(traefik, peer, challenge, issued["certificate"]["serial"])
        assert after["state"] == "issued"
        assert moment(after, "not_after") >= moment(issued, "not_after")

        reservation = issued["reservation"]
        refused = await peer.delete(f"/api/reservations/{reservation}")
        assert refused.status_code == 409
        assert refused.json()["fix"].startswith(f"homeport domains remove {DOMAIN}")
        assert (await peer.delete(f"/api/domains/{DOMAIN}")).status_code == 204

        async def gone():
            answer = await traefik.ask(DOMAIN, trust=False)
            return answer.status_code == 404 and "There is no tunnel of this name" in answer.text

        await until_async(gone)
        assert (await peer.get(f"/api/domains/{DOMAIN}")).status_code == 404
        assert (await traefik.ask(f"app.{BASE}", trust=False)).status_code == 200
        assert (await peer.delete(f"/api/reservations/{reservation}")).status_code == 204


async def renewed(traefik, peer, challenge, serial):
    """Pebble's certificates last 20 days, and Traefik renews those of less than 30 when it starts, then each day.

    Pebble checks at once, for which a Traefik that has just started is not always ready.
    """
    for _ in range(6):
        traefik.stop_traefik()
        await traefik.start_traefik(challenge)

        async def fresh():
            now = (await peer.post(f"/api/domains/{DOMAIN}/check")).json()
            await asyncio.sleep(0.2)
            return now if now["certificate"]["serial"] != serial else None

        with contextlib.suppress(TimeoutError):
            return await until_async(fresh, 15)
    raise AssertionError("Traefik has not renewed")


def moment(seen, key):
    return datetime.fromisoformat(seen["certificate"][key])


async def test_a_refusal_says_why_and_is_not_repeated(traefik, peer, client):
    # The edge has two addresses; one leads nowhere, as behind a firewall that lets half of it in.
    change(traefik.knot, "test", "app.custom", "A", "127.0.0.2")
    made = await peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"})
    assert made.json()["state"] in ("verified", "error"), made.text  # the authority may be as quick
    failed = await reaches(peer, DOMAIN, "error")
    assert "urn:ietf:params:acme:error:" in failed["error"]["detail"]
    assert "connect" in failed["error"]["detail"]
    assert "80 and 443" in failed["error"]["fix"]
    assert moment_of(failed["retry_at"]) > moment_of(failed["checked_at"])
    # The route stays, without a resolver: other changes of routes do not make Traefik ask again.
    routes = json.loads(next(traefik.settings.routes_dir.glob("tunnel-*.yml")).read_text())["http"]["routers"]
    assert [r["tls"] for r in routes.values() if DOMAIN in r["rule"]] == [{}]
    await until_async(lambda: quiet(traefik), LATE_S)
    before = traefik.refusals()
    await peer.post("/api/reservations", json={"kind": "http", "name": "other"})
    await until_async(lambda: quiet(traefik), LATE_S)
    assert traefik.refusals() == before

    change(traefik.knot, "test", "app.custom", "A", "127.0.0.1")
    await peer.post(f"/api/domains/{DOMAIN}/check")
    assert (await reaches(peer, DOMAIN, "issued"))["error"] is None


def moment_of(text):
    return datetime.fromisoformat(text)


async def quiet(acme_edge):
    """Whether Traefik's log has not grown for longer than a refusal that is under way takes."""
    size = acme_edge.settings.log.stat().st_size
    await asyncio.sleep(5)
    return acme_edge.settings.log.stat().st_size == size


async def test_a_record_that_moves_away_is_noticed(traefik, peer, client):
    change(traefik.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")
    await peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"})
    await reaches(peer, DOMAIN, "issued")
    change(traefik.knot, "test", "app.custom", "CNAME")
    change(traefik.knot, "test", "app.custom", "A", "192.0.2.7")
    seen = (await peer.post(f"/api/domains/{DOMAIN}/check")).json()
    assert seen["state"] == "error"
    assert "192.0.2.7" in seen["error"]["detail"]
    assert seen["certificate"] is not None
    assert (await traefik.ask(DOMAIN)).status_code == 502  # still routed; no client is here
    change(traefik.knot, "test", "app.custom", "A", "127.0.0.1")
    assert (await peer.post(f"/api/domains/{DOMAIN}/check")).json()["state"] == "issued"


async def test_caa_records_that_forbid_us(traefik, peer, client):
    change(traefik.knot, "test", "app.custom", "CNAME", f"app.{BASE}.")
    change(traefik.knot, "test", "custom", "CAA", '0 issue "other.example"')
    seen = (await peer.post("/api/domains", json={"domain": DOMAIN, "name": "app"})).json()
    assert seen["state"] == "error"
    assert "other.example" in seen["error"]["detail"]
    assert 'CAA 0 issue "letsencrypt.org"' in seen["error"]["fix"]
    assert (await traefik.ask(DOMAIN, trust=False)).status_code == 404
    values = ('0 issue "other.example"', '0 issue "letsencrypt.org; validationmethods=http-01"')
    change(traefik.knot, "test", "custom", "CAA", *values)
    assert (await peer.post(f"/api/domains/{DOMAIN}/check")).json()["state"] in ("verified", "issued")


async def test_the_wildcard_by_dns01(traefik):
    names = {"main": f"*.{BASE}", "sans": [BASE]}
    router = {
        "rule": f"Host(`any.{BASE}`)",
        "entryPoints": ["websecure"],
        "service": "noop@internal",
        "tls": {"certResolver": "homeport-wildcard", "domains": [names]},
    }
    file = traefik.settings.routes_dir / "wildcard.tmp"
    file.write_text(json.dumps({"http": {"routers": {"wildcard": router}}}))
    file.rename(file.with_suffix(".yml"))

    async def trusted():
        try:
            return await traefik.ask(f"whatever.{BASE}")
        except httpx.ConnectError:
            return None

    assert "There is no tunnel" in (await until_async(trusted, LATE_S)).text
    assert (await traefik.ask(BASE)).status_code == 404
