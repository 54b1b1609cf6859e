from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.networks import within
from homeportd.shares.model import Decision, Mode, Proof, Share, Visitor, authorize

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HERE = ip_address("203.0.113.7")
SHARE = Share(3000, "a", 1, Mode.PUBLIC, None, None, (), None, 0, NOW)
LOCKED = replace(SHARE, mode=Mode.PASSWORD, password_hash="x")

shares = st.builds(
    Share,
    port=st.just(3000),
    id=st.just("a"),
    generation=st.integers(1, 9),
    mode=st.sampled_from(Mode),
    password_hash=st.none(),
    expires_at=st.none() | st.datetimes(timezones=st.just(UTC)),
    allow=st.lists(st.ip_addresses().map(ip_network), max_size=3).map(tuple),
    max_uses=st.none() | st.integers(1, 3),
    uses=st.integers(0, 3),
    updated_at=st.just(NOW),
)
visitors = st.builds(Visitor, address=st.ip_addresses(), proof=st.sampled_from(Proof))


@given(visitors, st.none() | shares, st.datetimes(timezones=st.just(UTC)))
def test_nobody_but_the_owner_gets_in_unless_a_share_says_so(visitor, share, now):
    decision = authorize(visitor, share, now)
    if visitor.proof in (Proof.OWNER, Proof.TOKEN):
        assert decision.allowed
        return
    if not decision.allowed:
        return
    assert share is not None
    assert share.mode is not Mode.PRIVATE
    assert share.expires_at is None or now < share.expires_at
    assert not share.allow or within(visitor.address, share.allow)
    assert share.mode is Mode.PUBLIC or visitor.proof in (Proof.COOKIE, Proof.BASIC)


@pytest.mark.parametrize(
    ("share", "proof", "decision"),
    [
        (None, Proof.NONE, Decision.DENIED_LOGIN),
        (None, Proof.COOKIE, Decision.DENIED_LOGIN),
        (replace(SHARE, mode=Mode.PRIVATE), Proof.NONE, Decision.DENIED_LOGIN),
        (SHARE, Proof.NONE, Decision.PUBLIC),
        (replace(SHARE, expires_at=NOW), Proof.NONE, Decision.DENIED_EXPIRED),
        (replace(SHARE, expires_at=NOW + timedelta(seconds=1)), Proof.NONE, Decision.PUBLIC),
        (replace(SHARE, allow=(ip_network("10.0.0.0/8"),)), Proof.NONE, Decision.DENIED_NETWORK),
        (replace(SHARE, allow=(ip_network("203.0.113.0/24"),)), Proof.NONE, Decision.PUBLIC),
        (LOCKED, Proof.NONE, Decision.DENIED_PASSWORD),
        (LOCKED, Proof.COOKIE, Decision.PASSWORD),
        (LOCKED, Proof.BASIC, Decision.BASIC),
        (replace(LOCKED, max_uses=1, uses=1), Proof.NONE, Decision.DENIED_USES),
        (replace(LOCKED, max_uses=1, uses=1), Proof.COOKIE, Decision.PASSWORD),
        (replace(LOCKED, allow=(ip_network("10.0.0.0/8"),)), Proof.COOKIE, Decision.DENIED_NETWORK),
        (replace(LOCKED, expires_at=NOW), Proof.COOKIE, Decision.DENIED_EXPIRED),
        (replace(LOCKED, expires_at=NOW), Proof.OWNER, Decision.OWNER),
    ],
)
def test_authorize(share, proof, decision):
    assert authorize(Visitor(HERE, proof), share, NOW) is decision


def test_an_ipv4_visitor_on_an_ipv6_socket_is_an_ipv4_visitor():
    assert within(ip_address("::ffff:10.1.2.3"), (ip_network("10.0.0.0/8"),))
    assert not within(ip_address("2001:db8::1"), (ip_network("10.0.0.0/8"),))
