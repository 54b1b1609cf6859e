"""Networks read the same way wherever a person writes them: a share, a tunnel, the settings."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from homeportd.edge.model import Refused, networks
from homeportd.edge.settings import EdgeSettings
from homeportd.networks import MAX_NETWORKS, NetworkError, parse_network, parse_networks, within
from homeportd.tunnels.model import TunnelSpec


@pytest.mark.parametrize(
    ("written", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("10.0.0.7/8", "10.0.0.0/8"),
        (" 10.0.0.0/8 ", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8::7/32", "2001:db8::/32"),
        ("::/0", "::/0"),
    ],
)
def test_host_bits_are_taken_for_zero(written, network):
    assert str(parse_network(written)) == network


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ten",
        "10.0.0.0/33",
        "10.0.0",
        "10.0.0.256",
        "010.0.0.1",
        "::1/129",
        "::g",
        "10.0.0.0/8/8",
        "a" * 9999,
    ],
)
def test_what_is_no_network_is_refused_with_a_fix(text):
    with pytest.raises(NetworkError, match="is not a network") as caught:
        parse_network(text)
    assert "203.0.113.7" in caught.value.fix
    assert len(caught.value.detail) < 100


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fe80::1%eth0/64"])
def test_an_interface_is_refused(text):
    with pytest.raises(NetworkError, match="names an interface"):
        parse_network(text)


def test_an_allowlist_has_each_network_once_and_not_too_many():
    assert list(map(str, parse_networks(["10.0.0.7/8", "::1", "10.0.0.0/8"]))) == ["10.0.0.0/8", "::1/128"]
    most = [f"10.0.0.{number}" for number in range(MAX_NETWORKS)]
    assert len(parse_networks(most)) == MAX_NETWORKS
    with pytest.raises(NetworkError, match="more than 64"):
        parse_networks([*most, "::1"])


def test_an_address_in_ipv6_clothes_is_in_the_ipv4_network():
    allowed = parse_networks(["10.0.0.0/8"])
    assert within(ip_address("::ffff:10.1.2.3"), allowed)
    assert not within(ip_address("::ffff:11.1.2.3"), allowed)


def test_every_place_where_networks_are_written_has_the_same_rule(tmp_path):
    settings = EdgeSettings(
        url="http://{name}.tunnel.test", host="tunnel.test", routes_dir=tmp_path, admin_allow=("10.0.0.7/8",)
    )
    assert settings.admin_allow == ("10.0.0.0/8",)
    assert list(map(str, networks(("10.0.0.7/8",)))) == ["10.0.0.0/8"]
    assert TunnelSpec(kind="http", target="3000", allow=("10.0.0.7/8",)).allow == ("10.0.0.0/8",)
    with pytest.raises(ValueError, match="names an interface"):
        EdgeSettings(
            url="http://{name}.tunnel.test",
            host="tunnel.test",
            routes_dir=tmp_path,
            admin_allow=("fe80::1%eth0",),
        )
    with pytest.raises(Refused, match="names an interface"):
        networks(("fe80::1%eth0",))
    with pytest.raises(ValueError, match="names an interface"):
        TunnelSpec(kind="http", target="3000", allow=("fe80::1%eth0",))
