"""The `[edge]` table."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from homeportd.settings import EdgeSettings

GOOD = {
    "url": "https://{name}.tunnel.example.com",
    "host": "tunnel.example.com",
    "routes_dir": "/var/lib/homeport-traefik/routes",
}


def test_the_parts_of_the_pattern():
    edge = EdgeSettings(**GOOD)
    assert (edge.scheme, edge.base) == ("https", "tunnel.example.com")
    assert edge.host_of("app") == "app.tunnel.example.com"
    local = EdgeSettings(**{**GOOD, "url": "http://{name}.tunnel.localhost:8081", "udp_ports": "4000-5000"})
    assert local.url_of("app") == "http://app.tunnel.localhost:8081"
    assert local.base == "tunnel.localhost"
    assert 4500 in local.span("udp")
    assert 4500 not in local.span("tcp")


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://tunnel.example.com"},
        {"url": "https://{name}-tunnel.example.com"},
        {"url": "https://{name}.Tunnel.example.com"},
        {"host": "a b"},
        {"tcp_ports": "0-10"},
        {"bind": []},
        {"bind": ["everywhere"]},
        {"listen": "7070"},
        {"listen": "localhost:7070"},
        {"routes_dir": "routes"},
        {"tls_listen": "0.0.0.0:7443"},
        {"unknown": 1},
    ],
)
def test_mistakes_are_named(wrong):
    with pytest.raises(ValidationError):
        EdgeSettings(**{**GOOD, **wrong})
