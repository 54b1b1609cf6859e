"""What is decided about domains: names, records, verdicts, steps, paces, the words of a log. No I/O."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.domains import acme_log, dns_check, hosts, transitions
from homeportd.domains.lookup import Trace
from homeportd.domains.model import Certificate, Destination, DnsResult, Failure, Mapping, State, Trouble
from homeportd.domains.transitions import CheckIntervals
from homeportd.errors import Problem

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = "tunnel.example.com"
HERE = DnsResult(Destination.HERE, ("CNAME app.tunnel.example.com.",))
AWAY = DnsResult(Destination.ELSEWHERE, ("A 192.0.2.1",), trouble=Trouble("elsewhere", "make it"))
FORBIDDEN = DnsResult(Destination.FORBIDDEN, trouble=Trouble("caa", "add it"))
UNKNOWN = DnsResult(Destination.UNKNOWN, note="nobody", trouble=Trouble("nobody", "look"))
CERTIFICATE = Certificate("CA", NOW - timedelta(days=1), NOW + timedelta(days=89), "01")
FRESH = Mapping("app.example.org", "abc", NOW)
AWAITING = replace(FRESH, state=State.VERIFIED, routed=True, asking=True, asked_at=NOW)
ISSUED = replace(AWAITING, state=State.ISSUED, certificate=CERTIFICATE)
EVEN = CheckIntervals(jitter=0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("app.example.org", "app.example.org"),
        ("  App.Example.ORG. ", "app.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1.example.org", "1.example.org"),
    ],
)
def test_names_as_dns_writes_them(text, name):
    assert hosts.normalise(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "localhost",
        "example",
        "*.example.org",
        "https://example.org",
        "example.org/path",
        "example.org:80",
        "me@example.org",
        "192.0.2.1",
        "::1",
        "a..example.org",
        "-a.example.org",
        "a_b.example.org",
        "a b.example.org",
        "a`b.example.org",
        f"{'a' * 64}.example.org",
        f"{'a.' * 130}org",
        "xn--zz-.example",
        "xn--a.example",
        "app.local",
        "app.localhost",
        "app.example.1",
        "ex\u0000ample.org",
        "\u2028.org",
        "a.b\nc.org",
    ],
)
def test_what_is_no_domain_has_a_fix(text):
    with pytest.raises(Problem) as caught:
        hosts.normalise(text)
    assert caught.value.status == 422
    assert caught.value.fix


@given(st.text(max_size=300))
def test_no_text_becomes_what_could_break_a_route(text):
    try:
        name = hosts.normalise(text)
    except Problem:
        return
    assert all(char in "abcdefghijklmnopqrstuvwxyz0123456789-." for char in name)
    assert name == hosts.normalise(name)


@pytest.mark.parametrize("domain", [BASE, f"app.{BASE}", f"a.b.{BASE}", "ports.example.com"])
def test_the_edges_own_names_are_refused(domain):
    with pytest.raises(Problem):
        hosts.refuse_own(domain, BASE, ("ports.example.com",))


def test_a_name_that_only_ends_alike_is_not_the_edges():
    hosts.refuse_own(f"my{BASE}", BASE, ())


def test_the_record_to_make_first():
    target, addresses = f"app.{BASE}", ("2001:db8::1", "192.0.2.9")
    below = hosts.records("app.example.org", target, addresses, apex=False)
    assert [(r.type, r.value) for r in below] == [
        ("CNAME", f"{target}."),
        ("A", "192.0.2.9"),
        ("AAAA", "2001:db8::1"),
    ]
    apex = hosts.records("example.org", target, addresses, apex=True)
    assert [r.type for r in apex] == ["A", "AAAA", "CNAME"]
    assert {r.name for r in apex} == {"example.org."}


@pytest.mark.parametrize(
    ("aliases", "addresses", "expected", "said"),
    [
        ((f"app.{BASE}",), (), Destination.HERE, ""),
        (("cdn.example.net", f"app.{BASE}"), (), Destination.HERE, ""),
        ((f"other.{BASE}",), (), Destination.HERE, ""),
        ((), ("192.0.2.1",), Destination.HERE, ""),
        (("alias.example.net",), ("192.0.2.1", "2001:db8::1"), Destination.HERE, ""),
        ((), (), Destination.ELSEWHERE, "no DNS record yet"),
        (("cdn.example.net",), (), Destination.ELSEWHERE, "cdn.example.net, which has no address"),
        ((), ("198.51.100.1",), Destination.ELSEWHERE, "198.51.100.1, not to this edge"),
        ((), ("192.0.2.1", "2001:db8::bad"), Destination.ELSEWHERE, "also to 2001:db8::bad"),
        ((f"app.{BASE}.evil.example",), ("198.51.100.1",), Destination.ELSEWHERE, "198.51.100.1"),
    ],
)
def test_where_a_domain_leads(aliases, addresses, expected, said):
    trace = Trace(aliases, addresses, "example.org")
    result = dns_check.check("app.example.org", trace, f"app.{BASE}", BASE, {"192.0.2.1", "2001:db8::1"})
    assert result.destination is expected
    assert said in (result.trouble.detail if result.trouble else "")
    assert result.trouble is None or result.trouble.fix
    assert result.apex is False


def test_an_edge_without_addresses_says_so():
    trace = Trace((), ("192.0.2.1",), "example.org")
    result = dns_check.check("example.org", trace, f"app.{BASE}", BASE, ())
    assert "own addresses cannot be found" in result.trouble.detail
    assert result.apex is True


@pytest.mark.parametrize("issuers", [None, ("letsencrypt.org",), ("other.example", "letsencrypt.org")])
def test_caa_that_lets_us(issuers):
    assert dns_check.apply_caa(HERE, "a.example.org", issuers, "letsencrypt.org") is HERE


@pytest.mark.parametrize(("issuers", "who"), [(("other.example",), "other.example"), (("",), "nobody")])
def test_caa_that_does_not(issuers, who):
    result = dns_check.apply_caa(HERE, "a.example.org", issuers, "letsencrypt.org")
    assert result.destination is Destination.FORBIDDEN
    assert who in result.trouble.detail


def test_the_way_to_a_certificate():
    verified = transitions.after_dns(FRESH, HERE, NOW, tls=True)
    assert (verified.state, verified.routed, verified.asking) == (State.VERIFIED, True, True)
    assert transitions.after_probe(verified, None, "no", None, NOW, EVEN) == verified
    issued = transitions.after_probe(verified, CERTIFICATE, "", None, NOW, EVEN)
    assert (issued.state, issued.certificate, issued.asking) == (State.ISSUED, CERTIFICATE, True)


def test_without_tls_verified_is_the_end():
    verified = transitions.after_dns(FRESH, HERE, NOW, tls=False)
    assert (verified.state, verified.routed, verified.asking) == (State.VERIFIED, True, False)
    moved = transitions.after_dns(verified, AWAY, NOW, tls=False)
    assert (moved.state, moved.routed) == (State.ERROR, True)


def test_a_record_that_goes_before_there_is_a_certificate():
    away = transitions.after_dns(AWAITING, AWAY, NOW, tls=True)
    assert (away.state, away.routed, away.asking) == (State.PENDING, False, False)


def test_an_issued_domain_that_moves_away_keeps_its_route():
    away = transitions.after_dns(ISSUED, AWAY, NOW, tls=True)
    assert (away.state, away.routed, away.asking) == (State.ERROR, True, False)
    assert away.certificate == CERTIFICATE
    back = transitions.after_probe(
        transitions.after_dns(away, HERE, NOW, tls=True), CERTIFICATE, "", None, NOW, EVEN
    )
    assert (back.state, back.error) == (State.ISSUED, None)


def test_forbidden_is_an_error_from_the_start():
    seen = transitions.after_dns(FRESH, FORBIDDEN, NOW, tls=True)
    assert (seen.state, seen.routed, seen.error) == (State.ERROR, False, FORBIDDEN.trouble)


@pytest.mark.parametrize("before", [AWAITING, ISSUED])
def test_silence_of_dns_changes_nothing(before):
    after = transitions.after_dns(before, UNKNOWN, NOW, tls=True)
    assert replace(after, checked_at=None, note=None) == before
    assert after.note == "nobody"


def test_a_refusal_waits_longer_each_time():
    mapping, now, waits = AWAITING, NOW, []
    for _ in range(8):
        mapping = transitions.after_probe(
            mapping, None, "", Failure(now, "urn:ietf:params:acme:error:dns"), now, EVEN
        )
        assert (mapping.state, mapping.asking) == (State.ERROR, False)
        waits.append((mapping.retry_at - now).total_seconds())
        early = transitions.after_dns(mapping, HERE, now + timedelta(seconds=1), tls=True)
        assert (early.asking, early.state) == (False, State.ERROR)
        now = mapping.retry_at
        mapping = transitions.after_dns(mapping, HERE, now, tls=True)
        assert (mapping.asking, mapping.asked_at, mapping.state) == (True, now, State.VERIFIED)
    assert waits[:3] == [900, 1800, 3600]
    assert waits[-1] == 6 * 3600


def test_a_person_need_not_wait():
    refused = transitions.after_probe(AWAITING, None, "", Failure(NOW, "no"), NOW, EVEN)
    assert transitions.after_dns(refused, HERE, NOW, tls=True, anew=True).asking


def test_patience_ends_without_a_word_in_the_log():
    assert (
        transitions.after_probe(AWAITING, None, "self-signed", None, NOW + timedelta(seconds=299), EVEN)
        == AWAITING
    )
    ended = transitions.after_probe(AWAITING, None, "self-signed", None, NOW + timedelta(seconds=300), EVEN)
    assert ended.state is State.ERROR
    assert "self-signed" in ended.error.detail


def test_a_renewal_that_is_refused_is_an_error_near_the_end_alone():
    failure = Failure(NOW, "refused")
    assert transitions.after_probe(ISSUED, CERTIFICATE, "", failure, NOW, EVEN).state is State.ISSUED
    late = CERTIFICATE.not_after - timedelta(days=10)
    seen = transitions.after_probe(ISSUED, CERTIFICATE, "", failure, late, EVEN)
    assert (seen.state, "is not renewed: refused" in seen.error.detail) == (State.ERROR, True)
    newer = replace(CERTIFICATE, not_before=late, not_after=late + timedelta(days=90))
    assert transitions.after_probe(seen, newer, "", failure, late, EVEN).state is State.ISSUED


def checks(mapping, count, **more):
    return [
        transitions.next_check_s(mapping, n, NOW, EVEN, tls=True, chance=0.5, **more) for n in range(count)
    ]


def test_how_often_a_domain_is_looked_at():
    pending = checks(FRESH, 40)
    assert (pending[0], pending[-1]) == (15, 600)
    assert pending == sorted(pending)
    awaiting = checks(AWAITING, 40)
    assert (awaiting[0], awaiting[-1]) == (1, 3)
    assert checks(ISSUED, 1) == [86400]
    assert checks(replace(ISSUED, certificate=replace(CERTIFICATE, not_after=NOW)), 1) == [3600]
    assert checks(replace(ISSUED, state=State.ERROR), 1) == [600]


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_the_next_look_is_within_bounds(count, chance):
    for mapping in (FRESH, AWAITING, ISSUED):
        wait = transitions.next_check_s(mapping, count, NOW, CheckIntervals(), tls=True, chance=chance)
        assert 0.8 <= wait <= 1.2 * 86400


OBTAIN = {
    "level": "error",
    "error": "unable to generate a certificate for the domains [app.example.org]: resolver: one or more domains"
    " had a problem: [app.example.org: invalid authorization: acme: error: 400 ::"
    " urn:ietf:params:acme:error:connection :: 192.0.2.1: Connection refused]",
    "domains": ["app.example.org"],
    "time": "2026-11-21T12:00:00Z",
    "message": "Unable to obtain ACME certificate for domains",
}
RENEW = {
    "level": "error",
    "error": "resolver: one or more domains had a problem: [app.example.org: invalid authorization: acme: error:"
    " 403 :: urn:ietf:params:acme:error:unauthorized :: Non-200 status code from HTTP]",
    "time": "2026-11-21T12:00:00Z",
    "message": "Error renewing ACME certificate: {app.example.org []}",
}


@pytest.mark.parametrize(
    ("entry", "reason", "fix"),
    [
        (
            OBTAIN,
            "acme: error: 400 :: urn:ietf:params:acme:error:connection :: 192.0.2.1",
            "ports 80 and 443",
        ),
        (RENEW, "acme: error: 403 :: urn:ietf:params:acme:error:unauthorized :: Non-200", "this edge alone"),
    ],
)
def test_the_authoritys_words(entry, reason, fix):
    failure = acme_log.read_line(json.dumps(entry).encode(), "app.example.org")
    assert failure.reason.startswith(reason)
    assert not failure.reason.endswith("]")
    assert fix in acme_log.trouble(failure).fix


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"1",
        b"no json app.example.org",
        b'{"level":"error","domains":"app.example.org"}',
        json.dumps({**OBTAIN, "domains": ["app.example.org.evil.example"], "error": "x"}).encode(),
        json.dumps({**OBTAIN, "level": "info"}).encode(),
        json.dumps({**OBTAIN, "error": 5}).encode(),
        json.dumps({**OBTAIN, "time": 5}).encode(),
        json.dumps({**OBTAIN, "time": "yesterday"}).encode(),
    ],
)
def test_other_lines_of_the_log(line):
    assert acme_log.read_line(line, "app.example.org") is None


def test_a_log_is_read_from_its_end(tmp_path):
    log = tmp_path / "log"
    line = json.dumps(OBTAIN)
    later = json.dumps({**OBTAIN, "error": "[app.example.org: later]", "time": "2026-11-21T12:00:05Z"})
    log.write_text(f"{line}\n{'x' * acme_log.TAIL}\n{later}\n{line.replace('app.', 'web.')}\n")
    failure = acme_log.last_failure(log, "app.example.org", NOW + timedelta(seconds=5, milliseconds=900))
    assert failure.reason == "later"
    assert acme_log.last_failure(log, "app.example.org", NOW + timedelta(seconds=6)) is None
    assert acme_log.last_failure(log, "none.example.org", NOW) is None
