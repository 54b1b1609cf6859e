"""Processes of a chaos test: an edge, and clients to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import trustme

from .net import Machine

HERE: Final = Path(__file__).parent
_spec: Final = importlib.util.spec_from_file_location(
    "freeports", HERE.parents[1] / "homeportd/tests/freeports.py"
)
assert _spec is not None
assert _spec.loader is not None
freeports: Final = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(freeports)
free_port, free_ports = freeports.free_port, freeports.free_ports
START_S: Final = 60.0
SPAN: Final = 600  # ports of an edge, for TCP and UDP


class Edge:
    """A whole agent that is an edge, as a process; `machine` is the namespace that it lives in.

    Its ports for TCP and UDP begin with `first`.
    """

    def __init__(
        self,
        folder: Path,
        machine: Machine | None = None,
        *,
        tls: bool = False,
        preexec: Callable[[], None] | None = None,
        haste: dict[str, float] | None = None,
    ) -> None:
        self.folder = folder
        self._haste = {f"CHAOS_{name.upper()}": str(seconds) for name, seconds in (haste or {}).items()}
        self._preexec = preexec or (machine.enter if machine else None)
        self.machine = machine
        self.port = free_port() if machine is None else 7070
        # Clients of another machine come by TLS: the plain listener is Traefik's alone.
        self.tls_port = 7443 if machine else free_port() if tls else None
        self.authority = trustme.CA()
        self.first = free_ports(SPAN)[0] if machine is None else 20_000
        self.process: asyncio.subprocess.Process | None = None
        self.token = ""
        # Of its clients. One that outlived the edge would keep the event loop from closing for ever.
        self.clients: list[asyncio.subprocess.Process] = []
        # A socket's path has 107 bytes at most, fewer than a folder of pytest's may need.
        self._short = tempfile.TemporaryDirectory(prefix="hp")
        self.sockets = Path(self._short.name)
        self._config = folder / "agent.toml"
        self._census = folder / "census.json"

    @property
    def url(self) -> str:
        """What clients dial."""
        return (
            f"tls://{self.address}:{self.tls_port}" if self.machine else f"http://{self.address}:{self.port}"
        )

    @property
    def ca(self) -> Path:
        """The certificate of the authority that its own is from."""
        return self.folder / "ca.pem"

    @property
    def address(self) -> str:
        """Where it listens."""
        return "127.0.0.1" if self.machine is None else self.machine.address

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self.process is not None
        return self.process.pid

    async def start(self) -> float:
        """Start it; seconds until it answered."""
        begun = time.monotonic()
        lines = {
            "origin": "http://{port}.localhost:8080",
            "port_ranges": ["61000-61001"],
            "repo_root": str(self.folder / "repos"),
            "data_dir": str(self.folder / "data"),
            "socket_dir": str(self.sockets),
        }
        edge = {
            "url": "http://{name}.tunnel.localhost:8081",
            "host": self.address,
            "bind": ["0.0.0.0"] if self.machine else ["127.0.0.1"],
            "tcp_ports": f"{self.first}-{self.first + SPAN - 1}",
            "udp_ports": f"{self.first}-{self.first + SPAN - 1}",
            "listen": f"{self.address}:{self.port}",
            "routes_dir": str(self.folder / "routes"),
            "access_log": str(self.folder / "access.json"),
        }
        if self.tls_port is not None:
            edge |= {"tls_listen": f"{self.address}:{self.tls_port}"}
            edge |= {"tls_cert": str(self.folder / "cert.pem"), "tls_key": str(self.folder / "key.pem")}
            issued = self.authority.issue_cert("localhost", self.address)
            issued.private_key_pem.write_to_path(self.folder / "key.pem")
            issued.cert_chain_pems[0].write_to_path(self.folder / "cert.pem")
            self.authority.cert_pem.write_to_path(self.ca)
        text = [f"{key} = {json.dumps(value)}" for key, value in lines.items()]
        text += ["[edge]", *(f"{key} = {json.dumps(value)}" for key, value in edge.items())]
        self._config.write_text("\n".join(text) + "\n")
        command = [sys.executable, str(HERE / "edge_main.py"), "serve", "--config", str(self._config)]
        with (self.folder / "edge.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                "--allow-root",
                stdout=log,
                stderr=log,
                env={**os.environ, **self._haste, "CHAOS_CENSUS": str(self._census)},
                preexec_fn=self._preexec,
            )
        await until(self._answers, START_S, self._log)
        if not self.token:
            made = await self.api("POST", "/api/tokens", json={"name": "chaos", "scope": "tunnel"})
            self.token = made["token"]
        return time.monotonic() - begun

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.returncode is None, self._log()
        try:
            await self.api("GET", "/api/health")
        except httpx.TransportError:
            return False
        return True

    def _log(self) -> str:
        return (self.folder / "edge.log").read_text()[-4000:]

    async def api(self, method: str, path: str, **options: Any) -> Any:
        """Ask the API as the owner."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.sockets / "cli.sock"))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
            answer = await client.request(method, path, timeout=30, **options)
            assert answer.status_code < 400, answer.text
            return answer.json() if answer.content else None

    async def tunnel(self, label: str | int) -> dict[str, Any]:
        """A tunnel as the API shows it, by its name or port."""
        found = await self.api("GET", "/api/tunnels")
        return next(item for item in found if label in (item["name"], item["port"]))

    async def census(self) -> dict[str, dict[str, int]]:
        """What its event loop holds."""
        self._census.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR1)
        await until(self._census.exists, 60, self._log)
        return json.loads(self._census.read_text())

    async def kill(self) -> None:
        """End it as a crash of the machine would."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it in good order."""
        with self._short:
            if self.process is not None and self.process.returncode is None:
                self.process.terminate()
                try:
                    async with asyncio.timeout(60):
                        await self.process.wait()
                except TimeoutError:
                    await self.kill()
                    raise AssertionError("the edge did not stop") from None


@asynccontextmanager
async def edge(
    folder: Path,
    machine: Machine | None = None,
    *,
    tls: bool = False,
    preexec: Callable[[], None] | None = None,
    haste: dict[str, float] | None = None,
) -> AsyncIterator[Edge]:
    """A running edge; nothing may have gone wrong in it that nobody handled.

    `preexec` runs in it before it does; `haste` has other seconds for `patience` and `heartbeat` (`edge_main.py`).
    """
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    made = Edge(folder, machine, tls=tls, preexec=preexec, haste=haste)
    try:
        await made.start()
        yield made
    finally:
        for process in made.clients:
            if process.returncode is None:
                process.kill()
            await process.wait()
        await made.stop()
    log = (folder / "edge.log").read_text()
    for bad in ("Traceback", "never retrieved", "was destroyed but it is pending"):
        assert bad not in log, log[-6000:]


class Peer:
    """A client process (`peer.py`). It is ready when made, and connects at `go`."""

    def __init__(self, process: asyncio.subprocess.Process, name: str) -> None:
        self.process = process
        self.name = name
        self.echo_port = 0
        self._said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self._said.put_nowait(json.loads(line))
        self._said.put_nowait({})

    async def next(self, kind: str, seconds: float = START_S) -> Any:
        """The next thing of a kind that it says."""
        async with asyncio.timeout(seconds):
            while True:
                said = await self._said.get()
                assert said, f"the client {self.name} ended"
                if kind in said:
                    return said[kind]

    def tell(self, command: str) -> None:
        """Have it do something."""
        assert self.process.stdin is not None
        self.process.stdin.write(command.encode() + b"\n")

    def go(self) -> float:
        """Have it connect; the time it was told to."""
        self.tell("go")
        return time.monotonic()

    async def view(self) -> dict[str, Any]:
        """What it believes."""
        self.tell("view")
        return await self.next("view")

    async def kill(self, number: int = signal.SIGKILL) -> None:
        """End it."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()
        await self._reader


async def peer(
    edge: Edge,
    tunnels: list[dict[str, Any]],
    machine: Machine | None = None,
    *,
    name: str = "laptop",
    links: int = 1,
    target: int | None = None,
    log: Path | None = None,
    heartbeat: float | None = None,
) -> Peer:
    """Start a client and wait until it is ready to connect."""
    wanted = {"url": edge.url, "token": edge.token, "links": links, "name": name, "target": target}
    wanted |= {"ca": str(edge.ca)} if edge.machine else {}
    with (log or edge.folder / "peers.log").open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(HERE / "peer.py"),
            json.dumps({**wanted, "tunnels": tunnels, "heartbeat": heartbeat}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            preexec_fn=machine.enter if machine else None,
        )
    edge.clients.append(process)
    made = Peer(process, name)
    made.echo_port = await made.next("ready")
    return made


async def until(
    condition: Callable[[], object | Awaitable[object]], seconds: float, why: Callable[[], object] = str
) -> Any:
    """Wait for something to become true; its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, why() or "it did not become true in time"
        await asyncio.sleep(0.02)


def descriptors(pid: int) -> Counter[str]:
    """What a process has open: files by name, sockets and the like by kind."""
    found: Counter[str] = Counter()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found[os.readlink(path).partition("[")[0]] += 1  # noqa: PTH115 - "socket:[1]" is no path
    return found


def memory(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def raise_limit() -> int:
    """Have as many descriptors as this process may; its children inherit that."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
