"""The daemon's socket and files, where the system knows less than Linux does."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import socket
import stat
import tempfile
import threading
from pathlib import Path

import pytest

from homeportd.tunnels import account, control, daemon, state, transport
from homeportd.tunnels.account import Account
from homeportd.tunnels.control import ControlServer
from homeportd.tunnels.daemon import Daemon
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.state import DaemonFiles, Lock

from .conftest import PATIENCE, until


@pytest.fixture
def files():
    """In a folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    made = DaemonFiles(folder / "state")
    made.make()
    yield made
    shutil.rmtree(folder)


async def ask(files: DaemonFiles, request: bytes) -> dict:
    reader, writer = await asyncio.open_unix_connection(str(files.socket))
    answer = b""
    with contextlib.suppress(ConnectionError):  # a peer that closes without having read resets
        writer.write(request)
        answer = await reader.readline()
    writer.close()
    return json.loads(answer) if answer else {}


@pytest.mark.parametrize("system", ["linux", "macos"])
async def test_without_peer_credentials_the_mode_holds(nothing_left, files, monkeypatch, system) -> None:
    if system == "macos":
        monkeypatch.delattr(socket, "SO_PEERCRED")
        monkeypatch.delattr(socket, "SOCK_CLOEXEC")

    async def answer(request: dict) -> dict:
        if request.get("do") == "no":
            raise TunnelError(Reason.TAKEN, "taken", "choose another")
        return {"you": request}

    files.socket.touch()  # what a dead daemon left
    served = ControlServer(files, answer)
    await served.start()
    assert stat.S_IMODE(files.socket.stat().st_mode) == 0o600
    assert await ask(files, b'{"do":1}\n') == {"you": {"do": 1}}
    refused = await ask(files, b'{"do":"no"}\n')
    assert refused == {"error": {"reason": "taken", "detail": "taken", "fix": "choose another"}}
    await served.close()
    assert not files.socket.exists()


async def test_another_user_is_not_answered(nothing_left, files, monkeypatch) -> None:
    async def answer(_: dict) -> dict:
        return {}

    monkeypatch.setattr(control, "peer_uid", lambda _: os.getuid() + 1)
    served = ControlServer(files, answer)
    await served.start()
    assert await ask(files, b"{}\n") == {}
    await served.close()


async def test_a_daemon_that_has_just_begun_waits_for_a_slow_edge(edge, files, monkeypatch) -> None:
    monkeypatch.setattr(daemon, "AWAY_S", 0.1)  # of an edge that is known to be away
    for module, limit in ((daemon, "ADD_S"), (transport, "CONNECT_S")):
        monkeypatch.setattr(module, limit, PATIENCE)
    monkeypatch.setenv("HOME", str(files.folder.parent))
    account.store(Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1))
    edge.silent = True
    serving = asyncio.create_task(Daemon(files).serve())
    await until(files.socket.exists)
    adding = asyncio.create_task(ask(files, b'{"do":"add","spec":{"kind":"tcp","target":"1"}}\n'))
    await asyncio.sleep(0.5)
    assert not adding.done()
    edge.silent = False
    said = await adding
    assert (said["answered"], said["tunnel"]["state"]) == (True, "live")
    assert await ask(files, b'{"do":"stop"}\n') == {"ok": True}
    await serving


async def test_a_daemon_that_ends_while_a_tunnel_takes_the_place_of_another_has_one_then(
    edge, files, monkeypatch
) -> None:
    monkeypatch.setattr(daemon, "AWAY_S", PATIENCE)
    monkeypatch.setenv("HOME", str(files.folder.parent))
    account.store(Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1))
    spec = b'{"do":"add","spec":{"kind":"tcp","target":"1","allow":["192.0.2.%d"]}}\n'
    first = Daemon(files)
    serving = asyncio.create_task(first.serve())
    await until(files.socket.exists)
    assert (await ask(files, spec % 1))["answered"]
    await edge.stop()
    await until(lambda: not first._client.is_up)
    adding = asyncio.create_task(ask(files, spec % 2))
    await until(lambda: len(first._client.tunnels) == 2)
    await ask(files, b'{"do":"stop"}\n')
    await asyncio.gather(serving, adding)
    serving = asyncio.create_task(Daemon(files).serve())
    await until(files.socket.exists)
    (tunnel,) = (await ask(files, b'{"do":"status"}\n'))["tunnels"]
    assert tunnel["allow"] == ["192.0.2.2/32"]
    assert tunnel["port"] is not None
    await ask(files, b'{"do":"stop"}\n')
    await serving


async def test_a_daemon_without_a_free_descriptor_misses_a_ping_alone(files, monkeypatch) -> None:
    pings = []
    done = asyncio.Event()

    def notify(state: str) -> None:
        pings.append(state)
        if len(pings) == 1:
            raise OSError(errno.EMFILE, "Too many open files")
        done.set()

    monkeypatch.setattr(daemon.sd_notify, "notify", notify)
    monkeypatch.setattr(daemon.sd_notify, "watchdog_s", lambda: 0.001)
    watching = asyncio.create_task(Daemon(files)._watchdog())
    await asyncio.wait({watching, asyncio.create_task(done.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert not watching.done()
    watching.cancel()


async def test_tunnels_of_different_places_do_not_wait_for_one_another(edge, files, monkeypatch) -> None:
    monkeypatch.setattr(daemon, "AWAY_S", PATIENCE)
    monkeypatch.setenv("HOME", str(files.folder.parent))
    account.store(Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1))
    edge.silent = True
    served = Daemon(files)
    serving = asyncio.create_task(served.serve())
    await until(files.socket.exists)
    spec = b'{"do":"add","spec":{"kind":"tcp","target":"%d"}}\n'
    adding = [asyncio.create_task(ask(files, spec % target)) for target in (1, 2, 2)]
    await until(lambda: len(served._client.tunnels) == 2)
    edge.silent = False
    assert all(said["answered"] for said in await asyncio.gather(*adding))
    assert sorted(tunnel.target.port for tunnel in served._client.tunnels.values()) == [1, 2]
    await ask(files, b'{"do":"stop"}\n')
    await serving


def test_two_daemons(files) -> None:
    with Lock(files):
        state.write_process(files)
        assert state.running(files).pid == os.getpid()
        with pytest.raises(TunnelError, match=rf"runs already \(pid {os.getpid()}\)"), Lock(files):
            pass
    with Lock(files):
        pass


def test_a_home_with_a_long_path(tmp_path) -> None:
    with pytest.raises(TunnelError, match="longer than"):
        DaemonFiles(tmp_path / ("x" * 100)).make()


def test_an_account_is_written_whole_and_read_again(tmp_path) -> None:
    file = tmp_path / "deep" / "edge.toml"
    kept = Account("https://tunnel.example.com", "hp_1", ca='/a "b"\\c.pem', api_token="hp_2", links=3)
    account.store(kept, file)
    assert account.load(file) == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["edge.toml"]
    assert account.replace_token("hp_1", "hp_3", file)
    assert account.replace_token("hp_1", "hp_3", file)  # another process was quicker
    assert not account.replace_token("hp_1", "hp_4", file)  # the person has another edge by now
    assert account.load(file).token == "hp_3"
    file.unlink()
    with pytest.raises(OSError, match="no edge yet"):
        account.replace_token("hp_3", "hp_4", file)


def test_a_home_that_locks_no_folder(tmp_path, monkeypatch) -> None:
    """NFS locks what is open for writing alone, which no folder is."""

    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    monkeypatch.setattr(account.fcntl, "flock", flock)
    file = tmp_path / "edge.toml"
    account.store(Account("https://tunnel.example.com", "hp_1"), file)
    assert account.replace_token("hp_1", "hp_2", file)
    assert account.load(file).token == "hp_2"


def test_a_new_account_is_not_undone_by_a_new_token(tmp_path, monkeypatch) -> None:
    """Whoever says `homeport init` while the old edge replaces the token."""
    file = tmp_path / "edge.toml"
    account.store(Account("https://old.example", "hp_1"), file)
    load, other = account.load, Account("https://new.example", "hp_9")
    init = threading.Thread(target=account.store, args=(other, file))

    def load_while_another_stores(at: Path) -> Account:
        found = load(at)
        init.start()
        init.join(0.5)
        return found

    monkeypatch.setattr(account, "load", load_while_another_stores)
    account.replace_token("hp_1", "hp_2", file)
    init.join()
    assert load(file) == other


@pytest.mark.parametrize(
    "text",
    [
        "",
        "url = 1",
        'url = "https://a.example"',
        'url = "x y"\ntoken = "a"',
        "\xff",
        "[[",
        'url = "https://a.b"\ntoken = ""',
        'url = "https://a.b"\ntoken = "a"\nlinks = 99',
        'url = "https://a.b"\ntoken = 5',
    ],
)
def test_an_account_that_is_broken(tmp_path, text) -> None:
    file = tmp_path / "edge.toml"
    file.touch(0o600)
    file.write_text(text, encoding="latin-1")
    with pytest.raises(TunnelError, match="cannot use"):
        account.load(file)
