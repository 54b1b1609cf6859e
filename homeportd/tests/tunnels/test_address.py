"""Addresses of edges and of local servers, as people write them."""

from __future__ import annotations

import pytest

from homeportd.tunnels.address import EdgeAddress, Target
from homeportd.tunnels.model import TunnelSpec
from homeportd.tunnels.protocol import Kind


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("tunnel.example.com", "https://tunnel.example.com"),
        ("https://tunnel.example.com/", "https://tunnel.example.com"),
        ("http://tunnel.localhost:8081", "http://tunnel.localhost:8081"),
        ("tls://192.0.2.1:7443", "tls://192.0.2.1:7443"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_addresses_of_edges(text, whole) -> None:
    assert str(EdgeAddress.parse(text)) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "ftp://a.example",
        "https://a.example/path",
        "https://a b",
        "https://u@a.example",
        "https://a.example:0",
        "https://a.example:99999",
        "https://a..example\n\r",
        "https://[::zz]",
    ],
)
def test_what_is_no_address_of_an_edge(text) -> None:
    with pytest.raises(ValueError, match=r"not an edge's address|IPv6|netloc"):
        EdgeAddress.parse(text)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("3000", ("127.0.0.1", "::1")),
        ("localhost:3000", ("127.0.0.1", "::1")),
        (":3000", ("127.0.0.1", "::1")),
        ("[::1]:3000", ("::1",)),
        ("192.168.1.5:22", ("192.168.1.5",)),
        ("db.internal:5432", ("db.internal",)),
    ],
)
def test_targets(text, addresses) -> None:
    assert TunnelSpec(kind=Kind.TCP, target=text).target.endswith((":3000", ":22", ":5432"))
    assert Target.parse(text).addresses == addresses


@pytest.mark.parametrize(
    "text", ["", "0", "70000", "x", "::1:3000", "a b:3000", "[zz]:3000", "3000/tcp", "٣"]
)
def test_what_is_no_target(text) -> None:
    with pytest.raises(ValueError, match="is not a target"):
        TunnelSpec(kind=Kind.TCP, target=text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://localhost:4444", "https://localhost:4444"),
        ("HTTPS://[::1]:4444/", "https://[::1]:4444"),
        ("h2c://50051", "h2c://localhost:50051"),
    ],
)
def test_a_target_of_http_may_say_what_it_speaks(text, said) -> None:
    assert TunnelSpec(kind=Kind.HTTP, target=text).target == said
    with pytest.raises(ValueError, match="are for HTTP"):
        TunnelSpec(kind=Kind.TCP, target=text)


@pytest.mark.parametrize("text", ["ftp://localhost:21", "https://localhost:4444/path", "https://", "://3000"])
def test_what_is_no_target_with_a_scheme(text) -> None:
    with pytest.raises(ValueError, match="is not a target"):
        TunnelSpec(kind=Kind.HTTP, target=text)
