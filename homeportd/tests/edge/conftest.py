"""A whole agent that is an edge, on free ports of this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvloop

from homeportd.domains.settings import DomainsSettings

from ..freeports import free_port, free_ports
from ..traefik import SECURE, configure

PORTS = 300  # of the edge, more than any test opens tunnels


# The suite imports its modules by path (importlib mode), so that a neighbour is loaded by hand.
def _neighbour(name):
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"edge_{name}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


helper = _neighbour("helper")
_neighbour("devserver")


def pytest_asyncio_loop_factories(config, item):
    """The agent runs on uvloop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def ports():
    """Those of the edge, for TCP and UDP: one test after another has them."""
    return free_ports(PORTS)


@pytest.fixture
def edge_settings(tmp_path, ports):
    """An edge on loopback; several addresses are visitors' own."""
    listen = free_port()
    return DomainsSettings(
        url="http://{name}.tunnel.localhost:8081",
        host="localhost",
        bind=("127.0.0.1", "::1"),
        tcp_ports=f"{ports[0]}-{ports[-1]}",
        udp_ports=f"{ports[0]}-{ports[-1]}",
        listen=f"127.0.0.1:{listen}",
        routes_dir=tmp_path / "routes",
        access_log=tmp_path / "access.json",
    )


@pytest.fixture
def settings(settings, edge_settings):
    """Of an agent that is an edge."""
    return settings.model_copy(update={"edge": edge_settings})


@pytest.fixture
def port(edge_settings):
    """Where clients connect."""
    return int(edge_settings.listen.rpartition(":")[2])


@pytest.fixture
async def token(peer):
    """A token for tunnels: its id and secret."""
    return await make_token(peer, "laptop")


async def make_token(peer, name, scope="tunnel"):
    """Another."""
    return (await peer.post("/api/tokens", json={"name": name, "scope": scope})).json()


@pytest.fixture
async def connect(port, token):
    """Make links; they are closed after the test."""
    made = []

    async def make(handler=helper.refuse, secret=None, **options):
        link = await helper.link(port, secret or token["token"], handler, **options)
        made.append(link)
        return link

    yield make
    for link in made:
        await link.close()


def _toml(settings):
    edge = settings.edge
    return "\n".join(
        [
            f'origin = "{settings.origin}"',
            f"port_ranges = {json.dumps(list(settings.port_ranges))}",
            f'repo_root = "{settings.repo_root}"',
            f'data_dir = "{settings.data_dir}"',
            f'socket_dir = "{settings.socket_dir}"',
            "[edge]",
            f'url = "{edge.url}"',
            f'host = "{edge.host}"',
            f"bind = {json.dumps(list(edge.bind))}",
            f'tcp_ports = "{edge.tcp_ports}"',
            f'udp_ports = "{edge.udp_ports}"',
            f'listen = "{edge.listen}"',
            f'routes_dir = "{edge.routes_dir}"',
            *(
                f'{key} = "{value}"'
                for key in ("tls_listen", "tls_cert", "tls_key")
                if (value := getattr(edge, key)) is not None
            ),
        ]
    )


@pytest.fixture
async def start(settings, tmp_path, port):
    """Start the agent as a process of its own, which logs to `agent.log`; the value is that process."""
    config = tmp_path / "agent.toml"
    config.write_text(_toml(settings))
    running = []

    async def up():
        try:
            async with helper.over_socket(settings.socket("cli")) as api:
                return (await api.get("/api/health")).status_code == 200
        except OSError:
            return False
        except Exception as error:  # httpx wraps what the socket says
            if type(error).__name__ == "ConnectError":
                return False
            raise

    async def make(*options):
        with (tmp_path / "agent.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *options,
                "-m",
                "homeportd",
                "serve",
                "--config",
                str(config),
                "--allow-root",
                stderr=log,
            )
        running.append(process)
        await helper.until_async(up, 60)
        return process

    yield make
    for process in running:
        if process.returncode is None:
            process.terminate()
            await helper.ended(process)


@pytest.fixture(autouse=True)
def no_complaints(caplog):
    """Asyncio says through its logger what nobody handled."""
    yield
    for when in ("setup", "call"):
        records = caplog.get_records(when)
        complaints = [
            r.getMessage() for r in records if r.name in ("asyncio", "homeportd.edge.connection_handler")
        ]
        assert not [text for text in complaints if not text.startswith(("Using selector", "Executing <"))]


@pytest.fixture
async def traefik(running, edge_settings, tmp_path):
    """The real Traefik in front of the edge: plain on `.port`, TLS with HTTP/2 on `.tls_port`."""
    port, tls_port = free_port(), free_port()
    log = tmp_path / "traefik.log"
    command = configure(
        tmp_path,
        edge_settings.routes_dir,
        edge_settings.listen,
        {"web": port, SECURE: tls_port},
        rule="HostRegexp(`^([a-z0-9-]+\\.)?tunnel\\.localhost$`)",
        accessLog={"filePath": str(edge_settings.access_log), "format": "json"},
        log={"level": "WARN", "filePath": str(log)},
    )
    process = await asyncio.create_subprocess_exec(*command)
    try:
        await helper.until_async(lambda: helper.routed(port), 60)
        yield SimpleNamespace(port=port, tls_port=tls_port, log=log)
    finally:
        process.terminate()
        await process.wait()
    # One broken file freezes all updates of the provider.
    assert "error" not in log.read_text().lower().replace("error.yml", "")
