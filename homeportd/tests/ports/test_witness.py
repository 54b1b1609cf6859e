"""Root's processes, seen by an agent that is not root, through the witness."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from homeportd.ports import witness as module
from homeportd.ports.witness import MAX_INODES, ask, examine

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be looked at as root")

NOBODY = pwd.getpwnam("nobody").pw_uid

# Asks as another user and prints what it was told.
ASK = """
import os, sys
from pathlib import Path
from homeportd.ports import witness
from homeportd.ports.owners import Due, look_up
witness.PATIENCE_S = 30
os.setgroups([])
os.setgid(65534)
os.setuid(int(sys.argv[1]))  # what is imported lies where only root may read
inode = int(sys.argv[3])
found = look_up(Due(frozenset([inode])), witness=Path(sys.argv[2])).holders[inode]
print(found and (found.pid, found.owner.user, str(found.owner.cwd)))
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A witness may have to wait for a processor before it can look for one."""
    monkeypatch.setattr(module, "PATIENCE_S", 30)


@pytest.fixture
def folder():
    """One that others may enter: every run of pytest that begins meanwhile closes the folder of all runs to them."""
    made = Path(tempfile.mkdtemp(prefix="hp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def witness(folder):
    path = folder / "made" / "w.sock"
    command = [sys.executable, "-m", "homeportd", "witness", "--socket", str(path), "--user", "nobody"]
    process = subprocess.Popen(command, umask=0o077)
    deadline = time.monotonic() + 60
    while not listens(path):
        assert time.monotonic() < deadline, "the witness did not start"
        time.sleep(0.02)
    yield path
    process.terminate()
    assert process.wait(30) in (0, -15)


def listens(path):
    """Whether it does by now: a socket is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def inode(listener):
    return os.fstat(listener.fileno()).st_ino


def told(uid, path, listener):
    command = [sys.executable, "-c", ASK, str(uid), str(path), str(inode(listener))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_the_agents_user_learns_whose_roots_socket_is(witness, listener):
    assert told(NOBODY, witness, listener) == str((os.getpid(), "root", str(Path.cwd())))


def test_without_a_witness_it_does_not(folder, listener):
    assert told(NOBODY, folder / "none.sock", listener) == "None"


def test_another_user_is_not_answered(witness, listener):
    assert told(NOBODY - 1, witness, listener) == "None"


def test_it_does_not_serve_from_a_folder_that_others_may_change(folder):
    folder.chmod(0o777)
    command = [
        sys.executable,
        "-m",
        "homeportd",
        "witness",
        "--socket",
        str(folder / "w"),
        "--user",
        "nobody",
    ]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "not root's alone" in answer.stderr


@pytest.mark.parametrize(
    "line", [b"\n", b"{}\n", b'["1"]\n', b"[true]\n", b"[1.5]\n", b"nonsense\n", b"[1", b""]
)
def test_garbage_is_not_answered_and_does_not_stop_it(witness, listener, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(witness))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert ask(witness, [inode(listener)])[inode(listener)].pid == os.getpid()


def test_what_nobody_holds_is_left_out(witness, listener):
    assert examine([2**40]) == {}
    answer = ask(witness, [inode(listener), *range(2**40, 2**40 + 10)])
    assert list(answer) == [inode(listener)]
    assert ask(witness, range(2**40, 2**40 + 2 * MAX_INODES)) == {}


def test_a_witness_that_is_not_roots_is_not_believed(folder, listener):
    script = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "s.listen(); print('ready', flush=True); c, _ = s.accept(); c.recv(9999); c.sendall(b'{}\\n')"
    )
    folder.chmod(0o777)
    path = folder / "false.sock"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as liar:
        liar.stdout.readline()
        assert ask(path, [inode(listener)]) == {}
        liar.kill()
