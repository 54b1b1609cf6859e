"""Rights that end while the disk takes nothing: real agent, real Caddy, a file system of eight megabytes."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from ..freeports import free_ports
from ..installation import Machine, UnixConnection, program, socket_folder, wait_for

NAMESPACE = ("unshare", "--map-root-user", "--user", "--mount")
PASSWORD = "correct horse"
NEW_PASSWORD = "another long password"


def has_namespaces() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    )


pytestmark = pytest.mark.skipif(not has_namespaces(), reason="mounts a file system in a namespace of its own")


class Small(Machine):
    """A machine whose agent has its data on a small file system of its own."""

    def start_agent(self) -> None:
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        serve = f"{program('homeportd')} serve --config {self.config} --allow-root"
        script = f"mount -t tmpfs -o size=8m none {data} && exec {serve}"
        self.start("agent", *NAMESPACE, "sh", "-c", script)
        self.wait("agent", self.answers)

    @property
    def disk(self) -> Path:
        """The data folder as the agent sees it."""
        return Path(f"/proc/{self.programs['agent'].pid}/root{self.folder}/data")

    def fill(self, *, reserve: bool) -> None:
        """Leave not one free block; without `reserve` the reserve is gone as well, to somebody else."""
        if not reserve:
            (self.disk / "homeport.reserve").unlink()
        with (self.disk / "filler").open("ab", buffering=0) as file:
            for size in (1 << 16, 1 << 12):
                try:
                    while file.write(b"x" * size) == size:
                        pass
                except OSError:
                    pass

    def empty(self) -> None:
        (self.disk / "filler").unlink(missing_ok=True)

    def asked(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict[str, str]]:
        """Status and body of an answer."""
        with closing(UnixConnection(self.sockets / "cli.sock")) as connection:
            sent = {"Content-Type": "application/json", **headers}
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}

    def rows(self, table: str) -> int:
        """Rows on the disk, as a restart would read them."""
        # A copy: SQLite would resolve a path in another mount namespace.
        with tempfile.TemporaryDirectory() as folder:
            for name in ("homeport.db", "homeport.db-wal"):
                shutil.copy(self.disk / name, folder)
            with closing(sqlite3.connect(f"{folder}/homeport.db")) as database:
                return int(database.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


@contextmanager
def small_machine():
    with socket_folder() as folder:
        front, dev, free = free_ports(3)
        made = Small(folder, folder, front, dev, free)
        made.configure(user_reason="setting")
        try:
            made.start_dev_server()
            made.start_agent()
            made.start_caddy()
            yield made
        finally:
            made.end()


@pytest.fixture(scope="module")
def machine():
    with small_machine() as made:
        yield made


@pytest.fixture(autouse=True)
def whole_again(machine):
    """Room on the disk, and the reserve in its place, before each test."""
    yield
    machine.empty()
    wait_for((machine.disk / "homeport.reserve").exists, "the reserve is made again")


def share(machine: Small, mode: str, **more: object) -> tuple[int, dict[str, str]]:
    return machine.asked("POST", f"/api/ports/{machine.dev}/share", {"mode": mode, **more})


def test_a_share_ends_on_a_full_disk_and_stays_ended(machine):
    share(machine, "public")
    assert machine.visit(machine.dev) == 200
    machine.fill(reserve=True)
    assert machine.asked("DELETE", f"/api/ports/{machine.dev}/share") == (204, {})
    assert machine.visit(machine.dev) == 401
    assert machine.rows("shares") == 0


def test_an_end_that_no_disk_takes_is_an_end_all_the_same_and_says_what_a_restart_would_do(machine):
    share(machine, "public")
    token = machine.call("POST", "/api/tokens", {"name": "laptop"})
    machine.fill(reserve=False)
    status, problem = machine.asked("DELETE", f"/api/ports/{machine.dev}/share")
    assert status == 503
    assert "has ended, but the disk did not take it" in problem["detail"]
    assert "restarts" in problem["detail"]
    assert "make room" in problem["fix"]
    assert machine.visit(machine.dev) == 401
    status, problem = machine.asked("DELETE", f"/api/tokens/{token['id']}")
    assert (status, "is revoked" in problem["detail"]) == (503, True)
    assert machine.call("GET", "/api/tokens") == []
    status, problem = machine.asked("PUT", "/api/password", {"password": NEW_PASSWORD})
    assert (status, "the old password" in problem["detail"]) == (503, True)
    assert machine.rows("shares") == machine.rows("tokens") == 1
    machine.empty()
    wait_for(lambda: not machine.rows("shares") and not machine.rows("tokens"), "the ends are written later")
    assert machine.rows("owner_password") == 1


@pytest.mark.parametrize(
    "narrower",
    [
        {"mode": "private"},
        {"mode": "password", "password": PASSWORD},
        {"mode": "public", "allow": ["203.0.113.0/24"]},
        {"mode": "public", "expires": "1h"},
    ],
    ids=str,
)
def test_a_narrower_share_that_cannot_be_written_is_no_share(machine, narrower):
    share(machine, "public")
    machine.fill(reserve=False)
    status, problem = share(machine, **narrower)
    assert (status, "was not changed, but has ended" in problem["detail"]) == (503, True)
    assert machine.visit(machine.dev) == 401
    machine.empty()
    wait_for(lambda: machine.rows("shares") == 0, "the end is written later")


def test_a_wider_share_that_cannot_be_written_leaves_the_share_as_it_was(machine):
    share(machine, "public", expires="1h")
    machine.fill(reserve=True)
    assert share(machine, "public", expires="never")[0] == 503
    assert machine.visit(machine.dev) == 200
    assert machine.call("GET", f"/api/ports/{machine.dev}/share")["expires_at"] is not None
