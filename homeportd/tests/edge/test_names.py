"""Which names and ports may be had. Pure, and by property."""

# ruff: noqa: PT017 - whether there is an exception is what these tests learn

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.edge.model import Refused, networks
from homeportd.edge.names import (
    MAX_NAME,
    MAX_WORKSTATION,
    RESERVED,
    check_name,
    check_port,
    choose_name,
    choose_port,
    label,
)
from homeportd.port_range import PortRange
from homeportd.tunnels.protocol import Kind, Open, Refusal

LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@given(st.text(max_size=80))
def test_what_is_accepted_is_a_label_of_dns(text):
    try:
        name = check_name(text)
    except Refused as refusal:
        assert refusal.reason is Refusal.NAME_BAD
        assert refusal.fix
    else:
        assert LABEL.fullmatch(name)
        assert name == text.lower()
        assert name not in RESERVED


@given(st.from_regex(LABEL, fullmatch=True))
def test_every_other_label_is_accepted(name):
    if name not in RESERVED and name[2:4] != "--":
        assert check_name(name.upper()) == name


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", "a.b", "a_b", "ä", "a b", "x" * (MAX_NAME + 1), "admin", "WWW", "xn--abc", "a\n"]
)
def test_bad_names_are_refused(name):
    with pytest.raises(Refused):
        check_name(name)


def test_the_names_in_the_manual_may_be_had():
    pages = Path(__file__).parents[3].joinpath("docs/tunnels.md").read_text()
    commands = " ".join(re.findall(r"^    (homeport http .*?)(?:  |$)", pages, re.MULTILINE))
    names = re.findall(r"(?:=|--domain )([a-z]\S*)", commands)
    assert {"myapp", "web", "api"} <= set(names)
    assert [check_name(name) for name in names] == names


@given(st.integers(), st.integers(min_value=0, max_value=200))
def test_a_chosen_name_is_free_and_good(seed, taken):
    source = random.Random(seed)
    names = set()
    for _ in range(taken):
        name = choose_name(source.randrange, names.__contains__)
        assert name not in names
        assert check_name(name) == name
        names.add(name)


def test_no_name_is_left():
    with pytest.raises(Refused) as caught:
        choose_name(lambda _: 0, lambda _: True)
    assert caught.value.reason is Refusal.LIMIT


@given(st.data())
def test_a_chosen_port_is_free_and_in_range(data):
    first = data.draw(st.integers(1, 65535))
    last = data.draw(st.integers(first, min(65535, first + 50)))
    span = PortRange(first, last)
    taken = data.draw(st.sets(st.integers(first, last)))
    source = random.Random(data.draw(st.integers()))
    if len(taken) == last - first + 1:
        with pytest.raises(Refused):
            choose_port(source.randrange, span, taken, "tcp")
    else:
        port = choose_port(source.randrange, span, taken, "tcp")
        assert port in span
        assert port not in taken
        assert check_port(port, span, "tcp") == port


@given(st.integers(1, 65535))
def test_ports_outside_are_refused(port):
    span = PortRange(20000, 29999)
    if port in span:
        assert check_port(port, span, "udp") == port
    else:
        with pytest.raises(Refused) as caught:
            check_port(port, span, "udp")
        assert caught.value.reason is Refusal.PORT_RANGE


@given(st.lists(st.ip_addresses() | st.just("nonsense") | st.text(max_size=20), max_size=70))
def test_allowlists_are_parsed_or_refused(items):
    texts = tuple(str(item) for item in items)
    try:
        parsed = networks(texts)
    except Refused as refusal:
        assert refusal.reason is Refusal.NETWORK_BAD
    else:
        assert len(parsed) <= len(texts) <= 64
        assert not any("%" in text for text in texts)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::%eth0/64", "::1/129", ""])
def test_what_traefik_takes_for_no_network_is_none_here(text):
    with pytest.raises(Refused) as caught:
        networks(("192.0.2.0/24", text))
    assert caught.value.reason is Refusal.NETWORK_BAD
    assert repr(text) in caught.value.detail


@pytest.mark.parametrize(
    ("more", "settings", "reason"),
    [
        ({}, {}, None),
        ({}, {"url": "https://{name}.tunnel.example.com"}, None),
        (
            {},
            {"url": "https://{name}.tunnel.example.com", "cert_resolver": "names"},
            Refusal.DOMAIN,
        ),
        ({"name": None}, {}, Refusal.NAME_BAD),
        ({"name": "x" * (MAX_WORKSTATION + 1)}, {}, Refusal.NAME_BAD),
        ({"kind": Kind.TCP, "name": None, "port": 20022}, {}, Refusal.NAME_BAD),
    ],
)
def test_a_workstation_needs_a_name_and_a_certificate_for_all(edge_settings, more, settings, reason):
    message = Open(**{"request": 1, "kind": Kind.HTTP, "name": "desk", "workstation": True, **more})
    edge = edge_settings.model_copy(update=settings)
    if reason is None:
        assert label(message, edge) == "desk"
        return
    with pytest.raises(Refused) as refused:
        label(message, edge)
    assert (refused.value.reason, bool(refused.value.fix)) == (reason, True)
