"""Questions to the real knot, which is both the resolver and the authority here."""

from __future__ import annotations

import socket

import pytest

from homeportd.domains import lookup
from homeportd.domains.lookup import Lookup, Unanswered

from ..authorities import change
from .acme_edge import BASE


@pytest.fixture
def look(dns_server):
    """Ask it."""
    return Lookup(dns_server.address)


def never(_alias):
    return False


async def test_a_chain_is_followed(dns_server, look):
    change(dns_server, "test", "a.custom", "CNAME", "b.custom.test.")
    change(dns_server, "apex.test", "c", "CNAME", f"app.{BASE}.")
    change(dns_server, "test", "b.custom", "CNAME", "c.apex.test.")
    trace = await look.trace("a.custom.test", never)
    assert trace.aliases == ("b.custom.test", "c.apex.test", f"app.{BASE}")
    assert (trace.addresses, trace.zone, trace.note) == (("127.0.0.1",), "test", None)
    ended = await look.trace("a.custom.test", lambda alias: alias.endswith(BASE))
    assert (ended.aliases, ended.addresses) == (trace.aliases, ())


async def test_the_top_of_a_zone(dns_server, look):
    change(dns_server, "apex.test", "apex.test.", "A", "192.0.2.1", "192.0.2.2")
    change(dns_server, "apex.test", "apex.test.", "AAAA", "2001:db8::1")
    trace = await look.trace("apex.test", never)
    assert trace.zone == "apex.test"
    assert set(trace.addresses) == {"192.0.2.1", "192.0.2.2", "2001:db8::1"}


async def test_nothing_there(look):
    trace = await look.trace("nothing.custom.test", never)
    assert (trace.aliases, trace.addresses, trace.zone) == ((), (), "test")


async def test_a_loop_ends(dns_server, look):
    change(dns_server, "test", "a.custom", "CNAME", "b.custom.test.")
    change(dns_server, "test", "b.custom", "CNAME", "a.custom.test.")
    with pytest.raises(Unanswered, match="CNAME records lead"):
        await look.trace("a.custom.test", never)


async def test_zones_that_nobody_knows(look):
    with pytest.raises(Unanswered):
        await look.trace("app.example.org", never)


async def test_an_authority_that_is_away(dns_server, look, monkeypatch):
    """The zone names a server at which nothing listens: the resolver answers in its stead, and it is said."""
    monkeypatch.setattr(lookup, "QUESTION_S", 1.5)
    change(dns_server, "apex.test", "app", "A", "192.0.2.1")
    change(dns_server, "apex.test", "ns", "A", "127.0.0.77")
    trace = await look.trace("app.apex.test", never)
    assert trace.addresses == ("192.0.2.1",)
    assert "name servers of apex.test did not answer" in trace.note


async def test_a_server_that_never_answers(monkeypatch):
    monkeypatch.setattr(lookup, "QUESTION_S", 0.1)
    monkeypatch.setattr(lookup, "TOTAL_S", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        asked = Lookup(f"127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(Unanswered):
            await asked.trace("app.custom.test", never)
        assert await asked.addresses(["app.custom.test"]) == frozenset()


async def test_the_edges_addresses(look):
    assert await look.addresses([f"app.{BASE}", BASE, "192.0.2.5", "none.example.org"]) == {
        "127.0.0.1",
        "127.0.0.2",
        "192.0.2.5",
    }
    assert await look.addresses(["app.tunnel.localhost"]) == {"127.0.0.1", "::1"}


async def test_the_nearest_caa_counts(dns_server, look):
    assert await look.issuers("app.custom.test") is None
    change(dns_server, "test", "custom", "CAA", '0 issue "other.example"', '0 iodef "mailto:a@custom.test"')
    assert await look.issuers("app.custom.test") == ("other.example",)
    change(dns_server, "test", "app.custom", "CAA", '0 issue "letsencrypt.org; validationmethods=http-01"')
    assert await look.issuers("app.custom.test") == ("letsencrypt.org",)
    change(dns_server, "test", "app.custom", "CAA", '0 issuewild "other.example"')
    assert await look.issuers("app.custom.test") is None
    change(dns_server, "test", "app.custom", "CAA", '0 issue ";"')
    assert await look.issuers("app.custom.test") == ("",)
