"""kill -9 of the agent and of Caddy while shares are written: what was acknowledged is there afterwards.

Two writers, one on the agent's own socket and one through Caddy with a token, write shares of ports of
their own without a pause. In each round a victim dies at a random moment. A write that got no answer may
have happened or not; one that was answered must be there, and nothing else may.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ..freeports import free_port
from ..installation import Installation, UnixConnection, running, socket_folder, wait_for

ROUNDS = 30
SEED = 20261121
PORTS_A_WRITER = 8
LONGEST_LIFE_S = 0.25  # between a restart and the next kill
READY_S = 60.0
REQUEST_S = 30.0
SECRET = "only the owner sees this"

# Asks for (method, path, body); see `ask`.
Ask = Callable[..., tuple[int, Any]]
# What a share says: (mode, allowed networks, max_uses), or None for no share.
State = tuple[str, tuple[str, ...], int | None] | None


class Machine(Installation):
    """One whose agent and Caddy are killed."""

    @property
    def database(self) -> Path:
        """The agent's file."""
        return self.folder / "data/homeport.db"

    def wait_until_ready(self) -> None:
        """Both answer: the agent on its socket, and through Caddy."""
        inside, outside = self.inside(), self.outside()

        def ready() -> bool:
            for name, process in self.programs.items():
                assert process.poll() is None, self.log(name).read_text()
            with contextlib.suppress(OSError, http.client.HTTPException):
                return inside("GET", "/api/health")[0] == outside("GET", "/api/health")[0] == 200
            return False

        wait_for(ready, "agent and Caddy answer again")

    def inside(self) -> Ask:
        """Requests on the agent's own socket, trusted by their user id."""
        return partial(
            ask, lambda: UnixConnection(self.sockets / "cli.sock"), {"Host": f"localhost:{self.front}"}
        )

    def outside(self, token: str = "") -> Ask:
        """Requests that come through Caddy."""
        headers = {"Host": f"localhost:{self.front}"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return partial(ask, lambda: _to_port(self.front), headers)


def _to_port(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_S)


def ask(
    connect: Callable[[], http.client.HTTPConnection],
    headers: dict[str, str],
    method: str,
    path: str,
    body: object = None,
) -> tuple[int, Any]:
    """One request on a connection of its own: status and parsed JSON. Raises OSError, HTTPException."""
    with contextlib.closing(connect()) as connection:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {**headers, "Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
    try:
        return answer.status, json.loads(text or b"null")
    except ValueError:
        return answer.status, text.decode(errors="replace")


class Writer(threading.Thread):
    """Writes shares of its own ports, one after another, and keeps what each port may hold."""

    def __init__(self, ask: Ask, ports: list[int], seed: int) -> None:
        super().__init__(daemon=True)
        self.ask = ask
        self.possible: dict[int, set[State]] = {port: {None} for port in ports}
        self.gate = threading.Lock()  # held for the time of one write
        self.acknowledged = 0
        self.unanswered = 0
        self.faults: list[str] = []
        self.ending = threading.Event()
        self._random = random.Random(seed)
        self._number = 0

    def run(self) -> None:
        while not self.ending.is_set():
            with self.gate:
                self.write(self._random.choice(list(self.possible)))
            time.sleep(0.001)  # lets the test have the gate

    def wait_for_answer(self) -> None:
        """Until one more write was acknowledged, so that there is something to lose on a slow machine, too."""
        deadline, before = time.monotonic() + READY_S, self.acknowledged
        while self.acknowledged == before:
            assert time.monotonic() < deadline, f"no write is acknowledged: {self.faults}"
            time.sleep(0.002)

    def write(self, port: int) -> None:
        self._number += 1
        policy: State = None
        body: dict[str, object] | None = None
        if self._random.random() < 0.75:
            # A network of its own for each write tells them apart.
            network = f"10.{self._number >> 8 & 255}.{self._number & 255}.0/24"
            policy = ("public", (network,), None)
            body = {"mode": "public", "allow": [network], "expires": "7d"}
        path = f"/api/ports/{port}/share"
        try:
            status, text = self.ask("POST" if body else "DELETE", path, body)
        except (OSError, http.client.HTTPException):
            status, text = 0, None
        if status in {0, 502, 503, 504}:  # 5xx: Caddy lives, the agent does not
            self.unanswered += 1
            self.possible[port].add(policy)
        elif status in {200, 201, 204}:
            self.acknowledged += 1
            self.possible[port] = {policy}
        elif body is None and status == 404 and None in self.possible[port]:
            self.possible[port] = {None}
        else:
            self.faults.append(f"{path}: {status} {text}")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with socket_folder() as sockets:
        made = Machine(tmp_path, sockets, free_port(), 1024, 65535)
        made.configure()
        with running(made):
            made.wait_until_ready()
            yield made


@pytest.fixture
def private_server(tmp_path: Path) -> Iterator[int]:
    """A dev server that nobody shares."""
    (tmp_path / "repos/index.html").write_text(SECRET)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "repos"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def stored(machine: Machine) -> dict[int, tuple[str, int]]:
    """Check the database file as it lies there; the (id, generation) of each port."""
    with contextlib.closing(sqlite3.connect(machine.database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        rows = connection.execute("SELECT port, id, generation FROM shares").fetchall()
    return {port: (id_, generation) for port, id_, generation in rows}


def compare(machine: Machine, writers: list[Writer], *, settled: bool) -> None:
    """Each port holds what its writer was told, or what it was not told about.

    That is settled where the agent died: one that lives may be at work still on what Caddy handed it before it died.
    """
    look = machine.inside()
    for writer in writers:
        for port, possible in writer.possible.items():
            status, share = look("GET", f"/api/ports/{port}/share")
            found: State = None
            if status != 404:
                assert status == 200
                assert share["expires_at"] is not None, share
                found = (share["mode"], tuple(share["allow"]), share["max_uses"])
            assert found in possible, f"port {port} holds {found}, which is none of {possible}"
            if settled:
                writer.possible[port] = {found}


def knock(machine: Machine, port: int) -> int:
    """A stranger's request for a port nobody shares: its status, whose page tells nothing."""
    host = {"Host": f"{port}.localhost:{machine.front}"}
    status, page = ask(lambda: _to_port(machine.front), host, "GET", "/")
    assert SECRET not in str(page)
    return status


@pytest.mark.slow
def test_nothing_acknowledged_is_lost(machine: Machine, private_server: int) -> None:
    dice = random.Random(SEED)
    status, made = machine.inside()("POST", "/api/tokens", {"name": "writer"})
    assert status == 201
    writers = [
        Writer(machine.inside(), list(range(20000, 20000 + PORTS_A_WRITER)), SEED + 1),
        Writer(machine.outside(made["token"]), list(range(21000, 21000 + PORTS_A_WRITER)), SEED + 2),
    ]
    newest: dict[str, int] = {}  # share id -> highest generation seen
    ended: set[str] = set()
    for writer in writers:
        writer.start()
    try:
        for round_ in range(ROUNDS):
            victims = dice.choice([["agent"], ["agent"], ["caddy"], ["agent", "caddy"]])
            for writer in writers:
                writer.wait_for_answer()
            time.sleep(dice.uniform(0.01, LONGEST_LIFE_S))
            for victim in victims:
                machine.stop(victim, signal.SIGKILL)
            with contextlib.ExitStack() as quiet:
                for writer in writers:
                    quiet.enter_context(writer.gate)
                if victims == ["agent"]:
                    assert knock(machine, private_server) == 503
                rows = stored(machine)
                for id_, generation in rows.values():
                    assert id_ not in ended, f"round {round_}: a removed share came back"
                    assert generation >= newest.get(id_, 1), f"round {round_}: an older generation came back"
                    newest[id_] = generation
                ended |= newest.keys() - {id_ for id_, _ in rows.values()}
                for victim in victims:
                    {"agent": machine.start_agent, "caddy": machine.start_caddy}[victim]()
                machine.wait_until_ready()
                compare(machine, writers, settled="agent" in victims)
                assert knock(machine, private_server) in {401, 403}
    finally:
        for writer in writers:
            writer.ending.set()
        for writer in writers:
            writer.join()
    for writer in writers:
        assert writer.faults == []
        # The test is worth something only if writes were going on, and were cut off.
        assert writer.acknowledged >= ROUNDS
    assert sum(writer.unanswered for writer in writers) > 0
