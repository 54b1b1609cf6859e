"""The `[edge]` table."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from homeportd.domains.settings import DomainsSettings
from homeportd.settings import Settings

GOOD = {
    "url": "https://{name}.tunnel.example.com",
    "host": "tunnel.example.com",
    "routes_dir": "/var/lib/homeport-traefik/routes",
}


def test_the_parts_of_the_pattern():
    edge = DomainsSettings(**GOOD)
    assert (edge.scheme, edge.base) == ("https", "tunnel.example.com")
    assert edge.host_of("app") == "app.tunnel.example.com"
    local = DomainsSettings(
        **{**GOOD, "url": "http://{name}.tunnel.localhost:8081", "udp_ports": "4000-5000"}
    )
    assert local.url_of("app") == "http://app.tunnel.localhost:8081"
    assert local.base == "tunnel.localhost"
    assert 4500 in local.span("udp")
    assert 4500 not in local.span("tcp")


def test_an_edge_alone_needs_no_origin():
    folders = {"port_ranges": ("3000",), "repo_root": "/r", "data_dir": "/d", "socket_dir": "/s"}
    alone = Settings(**folders, edge=GOOD)
    assert alone.origins is None
    assert alone.dashboard == "https://admin.tunnel.example.com"
    both = Settings(**folders, edge=GOOD, origin="http://{port}.localhost:8080")
    assert both.dashboard == "http://localhost:8080"
    with pytest.raises(ValidationError, match="origin is missing"):
        Settings(**folders)


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://tunnel.example.com"},
        {"url": "https://{name}-tunnel.example.com"},
        {"url": "https://{name}.Tunnel.example.com"},
        {"host": "a b"},
        {"admin_allow": ["fe80::1%eth0"]},
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
        DomainsSettings(**{**GOOD, **wrong})
