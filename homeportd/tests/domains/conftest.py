"""An edge with real authorities: knot for DNS, Pebble for certificates, Traefik before it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import uvloop

from homeportd.domains.settings import DomainsSettings

from ..authorities import knot, missing, pebble
from ..edge import helper
from ..freeports import free_port, free_ports
from .acme_edge import BASE, ZONES, AcmeEdge

TLS_ALPN = {"tlsChallenge": {}}
HTTP = {"httpChallenge": {"entryPoint": "web", "delay": "2s"}}


def pytest_asyncio_loop_factories(config, item):
    """The agent runs on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ports():
    """Those of the edge, for TCP and UDP: one test after another has them."""
    return free_ports(100)


@pytest.fixture
def dns_server(tmp_path):
    """knot, with the zones of `acme_edge`."""
    if why := missing():
        pytest.skip(why)
    with knot(tmp_path / "knot", ZONES) as made:
        yield made


@pytest.fixture
def scheme():
    """Of the edge."""
    return "https"


@pytest.fixture
def acme_edge(tmp_path, dns_server, scheme, ports):
    """What is there before the agent: authorities, ports, settings. Without TLS, no certificate authority."""
    web, tls, listen = free_port(), free_port(), free_port()
    challenges = {"http_port": web, "tls_port": tls}
    secure = scheme == "https"
    made = pebble(tmp_path / "pebble", dns_server.address, **challenges) if secure else nullcontext()
    with made as authority:
        edge = DomainsSettings(
            url=f"{scheme}://{{name}}.{BASE}:{tls if secure else web}",
            host=BASE,
            bind=("127.0.0.1",),
            tcp_ports=f"{ports[0]}-{ports[-1]}",
            udp_ports=f"{ports[0]}-{ports[-1]}",
            listen=f"127.0.0.1:{listen}",
            routes_dir=tmp_path / "routes",
            access_log=tmp_path / "access.json",
            log=tmp_path / "traefik.json",
            domain_resolver="homeport-domains" if secure else None,
            acme_ca=authority.root if authority else None,
            dns_server=dns_server.address,
        )
        yield AcmeEdge(tmp_path, edge, dns_server, authority, web, tls)


@pytest.fixture
def settings(settings, acme_edge):
    """Of an agent that is an edge."""
    return settings.model_copy(update={"edge": acme_edge.settings})


@pytest.fixture
def challenge():
    """How the authority sees that a name is ours."""
    return TLS_ALPN


@pytest.fixture
async def traefik(running, acme_edge, challenge):
    """A running Traefik before a running edge."""
    await acme_edge.start_traefik(challenge)
    yield acme_edge
    acme_edge.stop_traefik()


@pytest.fixture
async def client(running, peer, acme_edge):
    """A client that has the reserved name `app`, with nothing behind it unless the test opens it anew."""
    made = (await peer.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()
    reserved = await peer.post("/api/reservations", json={"kind": "http", "name": "app", "token": made["id"]})
    assert reserved.status_code == 201, reserved.text
    links = []

    async def connect(port):
        link = await helper.link(
            int(acme_edge.settings.listen.rpartition(":")[2]), made["token"], helper.to_port(port)
        )
        links.append(link)
        return link

    yield connect
    for link in links:
        await link.close()
