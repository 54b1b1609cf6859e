"""The owner reader answers the agent's user: whose a listening socket is, and what repo is around it."""

import os
import pwd
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeportd.ports.owner_reader import protocol
from homeportd.ports.owner_reader.child import in_child
from homeportd.ports.owner_reader.client import ask_dirty, ask_owners, ask_tree
from homeportd.ports.owner_reader.holders import describe
from homeportd.ports.owner_reader.protocol import MAX_INODES, MAX_LINE
from homeportd.ports.owner_reader.server import MAX_TREES_AT_ONCE

from .conftest import process as ended
from .readers import AGENT, NOBODY, PERSON, asked, reader, server_of

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be looked at as root")


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A reader may have to wait for a processor before it can look for anything."""
    monkeypatch.setattr(protocol, "PATIENCE_S", 30)


@pytest.fixture(scope="module")
def path():
    """A reader's socket, for all that does not end it."""
    with reader() as made:
        yield made


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def inode(listener):
    return os.fstat(listener.fileno()).st_ino


def test_the_agents_user_learns_whose_roots_socket_is(path, listener):
    told = asked(AGENT, path, "owners", [inode(listener)])
    assert f"pid={os.getpid()}," in told
    assert "user='root'" in told
    assert str(Path.cwd()) in told


def test_and_whose_a_third_users_is(path, top):
    with server_of(PERSON, top) as (pid, _, number):
        told = ask_owners(path, [number])[number]
    assert (told.owner.pid, told.owner.user, told.owner.cwd) == (pid, "games", top)
    assert told.owner.argv[0] == "/usr/bin/python3"


def test_without_a_reader_there_is_no_answer(listener):
    assert asked(AGENT, Path("/nowhere/none.sock"), "owners", [inode(listener)]) == "None"


def test_another_user_is_not_answered(path, listener):
    assert asked(NOBODY, path, "owners", [inode(listener)]) == "None"


def test_only_sockets_that_listen_are_described(path):
    ours, theirs = socket.socketpair()
    server, bound = socket.create_server(("127.0.0.1", 0)), socket.socket()
    with ours, theirs, server, bound, socket.create_connection(server.getsockname()) as connected:
        bound.bind(("127.0.0.1", 0))
        others = [inode(each) for each in (ours, connected, bound)]
        assert list(ask_owners(path, [inode(server), *others])) == [inode(server)]


def test_it_does_not_serve_from_a_folder_that_others_may_change(top):
    top.chmod(0o777)
    words = ["-m", "homeportd", "owner-reader", "--socket", str(top / "w"), "--user", "nobody"]
    answer = subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "not root's alone" in answer.stderr


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b'{"owners": ["1"]}\n',
        b'{"owners": [true]}\n',
        b'{"owners": [1.5]}\n',
        b"[1]\n",
        b"nonsense\n",
        b'{"owners": [1',
        b"",
        b'{"tree": 7}\n',
        b'{"tree": "/etc"}\n',
        b'{"tree": ["/etc"]}\n',
        b'{"dirty": "/"}\n',
        b'{"kill": 1}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_garbage_is_not_answered_and_does_not_stop_it(path, listener, line):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(path))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""
    assert ask_owners(path, [inode(listener)])[inode(listener)].pid == os.getpid()


def test_what_nobody_holds_is_left_out(path, listener):
    assert describe([2**40]) == {}
    answer = ask_owners(path, [inode(listener), *range(2**40, 2**40 + 10)])
    assert list(answer) == [inode(listener)]
    assert ask_owners(path, range(2**40, 2**40 + 2 * MAX_INODES)) == {}


def test_a_reader_that_is_not_roots_is_not_believed(top, listener):
    script = (
        "import os, socket, sys; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]);"
        "s.listen(); print('ready', flush=True); c, _ = s.accept(); c.recv(9999); c.sendall(b'{}\\n')"
    )
    top.chmod(0o777)
    false = top / "false.sock"
    with ended(sys.executable, "-c", script, str(false)) as liar:
        liar.stdout.readline()
        assert ask_owners(false, [inode(listener)]) is None


# --- working trees -------------------------------------------------------------------------------------------------


@pytest.fixture
def top():
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def git(folder, *words):
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def give(folder, uid):
    for each in (folder, *folder.rglob("*")):
        os.lchown(each, uid, -1)


def repo(home, uid, name="proj"):
    """A committed repo in a folder that its owner alone may enter."""
    made = home / name
    (made / "web").mkdir(parents=True)
    git(made, "init", "-q", "-b", "trunk")
    git(made, "remote", "add", "origin", "https://me:secret@example.com/shop.git")
    (made / "readme").write_text("hello\n")
    git(made, "add", "readme")
    git(made, "commit", "-q", "-m", "first")
    give(home, uid)
    home.chmod(0o700)
    return made


@contextmanager
def listening(path, uid, folder):
    """A server of that user that the reader has told of."""
    with server_of(uid, folder) as (pid, _, number):
        assert number in ask_owners(path, [number])
        yield pid


@pytest.mark.parametrize("uid", [0, PERSON], ids=["root", "person"])
def test_a_repo_in_a_folder_of_another_user_is_told_with_its_changes(path, top, uid):
    made = repo(top / "home", uid)
    with listening(path, uid, made / "web"):
        told = ask_tree(path, made / "web")
        assert (told.path, told.branch, told.remote, told.uid) == (
            made,
            "trunk",
            "https://example.com/shop.git",
            uid,
        )
        assert ask_dirty(path, made / "web") is False
        (made / "web/new").write_text("x")
        assert ask_dirty(path, made / "web") is True
        assert str(made) in asked(AGENT, path, "tree", str(made / "web"))


def test_only_the_folder_of_a_listener_that_was_told_is_looked_around(path, top):
    made = repo(top / "home", 0)
    assert asked(AGENT, path, "tree", str(made)) == "refused"
    with listening(path, 0, made / "web"):
        for near in (made, made / "web/..", made / ".git", made / "web/x", top):
            for ask in (ask_tree, ask_dirty):
                with pytest.raises(ValueError, match="no whole line"):
                    ask(path, near)
        assert asked(NOBODY, path, "tree", str(made / "web")) == "refused"
    # Whoever listened there has gone, and the right to ask with it.
    assert ask_tree(path, made / "web") is None


def test_the_agents_own_listeners_open_no_folder(path, top):
    made = repo(top / "home", 0)
    (top / "home").chmod(0o755)
    (made / ".git").chmod(0o700)
    with listening(path, AGENT, made / "web"):
        assert asked(AGENT, path, "tree", str(made / "web")) == "refused"


def test_a_path_of_another_mount_namespace_leads_nowhere(path, top):
    made = repo(top / "home", 0)
    script = f"mount -t tmpfs none {top} && mkdir -p {made}/web && cd {made}/web && exec setpriv --reuid=5 --regid=60"
    code = "import os,socket,time; s=socket.create_server(('127.0.0.1',0)); "
    code += "print(os.fstat(s.fileno()).st_ino, flush=True)"
    command = [
        "unshare",
        "-m",
        "sh",
        "-c",
        f'{script} --clear-groups /usr/bin/python3 -c "{code};time.sleep(600)"',
    ]
    with ended(*command) as inside:
        number = int(inside.stdout.readline())
        assert ask_owners(path, [number])[number].owner.cwd == made / "web"
        assert ask_tree(path, made / "web") is None


def test_another_users_repo_is_looked_at_as_that_user(path, top):
    """Root's server runs in a person's folder: root does not look there, the person does."""
    made = repo(top / "home", PERSON)
    with listening(path, 0, made / "web"):
        assert ask_tree(path, made / "web").uid == PERSON
        # What that user cannot read nobody reads.
        give(made / ".git", 0)
        (made / ".git").chmod(0o700)
        assert ask_tree(path, made / "web") is None


def test_a_git_folder_of_another_user_is_read_as_that_user(path, top):
    made = repo(top / "home", PERSON)
    (top / "home").chmod(0o755)
    give(made / ".git", NOBODY)
    (made / ".git").chmod(0o700)
    with listening(path, 0, made / "web"):
        assert ask_tree(path, made / "web").branch == "trunk"
        assert ask_dirty(path, made / "web") is False


@pytest.mark.parametrize("link", ["file", "symlink"])
def test_root_does_not_follow_a_git_folder_to_another_user(path, top, link):
    evil = repo(top / "evil", PERSON)
    (top / "evil").chmod(0o755)
    made = top / "root"
    made.mkdir(mode=0o700)
    if link == "file":
        (made / ".git").write_text(f"gitdir: {evil}/.git\n")
    else:
        (made / ".git").symlink_to(evil / ".git")
    with listening(path, 0, made):
        assert ask_tree(path, made) is None


def trap(folder):
    """A program that leaves a mark when it is run: (its path, the mark)."""
    mark, program = folder / "mark", folder / "trap"
    program.write_text(f"#!/bin/sh\nid >> {mark}; env >> {mark}\ncat\n")
    program.chmod(0o755)
    folder.chmod(0o777)
    return program, mark


@pytest.mark.parametrize("uid", [0, PERSON], ids=["root", "person"])
def test_nothing_that_a_repo_or_a_home_names_is_run(path, top, uid):
    made = repo(top / "home", uid)
    (top / "trap").mkdir()
    program, mark = trap(top / "trap")
    (made / ".gitattributes").write_text("* filter=any diff=any\n")
    for key in (
        "core.fsmonitor",
        "filter.any.clean",
        "filter.any.process",
        "core.sshCommand",
        "diff.any.textconv",
    ):
        git(made, "config", "--file", str(made / ".git/config"), key, str(program))
    hook = made / ".git/hooks/post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(program.read_text())
    hook.chmod(0o755)
    give(top / "home", uid)
    mark.unlink(missing_ok=True)
    os.utime(made / "readme", (1, 1))
    with listening(path, uid, made / "web"):
        assert ask_dirty(path, made / "web") is True  # the attributes are new
    assert not mark.exists(), mark.read_text()


# A file system that does not answer, for whoever looks into a folder of that name; and less patience with it.
HANGING = """
import time
from homeportd.ports.owner_reader import trees
from homeportd.repos import files
trees.TREE_S = 2.0
real = files.git_dir
files.git_dir = lambda path: time.sleep(600) if "hang" in path.parts else real(path)
"""


def test_a_look_that_hangs_is_ended_and_owners_are_answered_meanwhile(top, listener):
    made = repo(top / "hang", PERSON)
    with reader(before=HANGING) as path, listening(path, PERSON, made / "web"), ThreadPoolExecutor(8) as pool:
        looks = [pool.submit(no_answer, ask_tree, path, made / "web") for _ in range(2 * MAX_TREES_AT_ONCE)]
        assert ask_owners(path, [inode(listener)])[inode(listener)].pid == os.getpid()
        assert not all(look.done() for look in looks)
        assert all(look.result() for look in looks)
        fine = repo(top / "home", PERSON)
        with listening(path, PERSON, fine / "web"):
            wait(lambda: not no_answer(ask_tree, path, fine / "web"))
        wait(lambda: not looking())


def no_answer(ask, path, folder):
    try:
        return ask(path, folder) is None
    except (OSError, ValueError):
        return True


def looking():
    """Children of readers that have another user's rights."""
    found = subprocess.run(["ps", "-u", "games", "-o", "args="], capture_output=True, text=True, check=False)
    return "owner-reader" in found.stdout


def wait(true):
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_git_that_hangs_is_ended(top):
    made = repo(top / "home", PERSON)
    hasty = "from homeportd.repos import status\nstatus.TIME_OUT = 1.0"
    with reader(before=hasty) as path, listening(path, PERSON, made / "web"):
        os.mkfifo(made / ".git/objects/info/alternates")
        assert ask_dirty(path, made / "web") is None
        found = subprocess.run(
            ["ps", "-u", "games", "-o", "comm="], capture_output=True, text=True, check=False
        )
        assert "git" not in found.stdout.split()


def test_a_child_has_no_right_left_but_the_users():
    def rights():
        text = Path("/proc/self/status").read_text()
        names = ("Uid", "Gid", "Groups", "CapPrm", "CapEff", "CapInh", "CapAmb", "NoNewPrivs")
        return [line.split() for line in text.splitlines() if line.partition(":")[0] in names], dict(
            os.environ
        )

    def exec_gains():
        return subprocess.check_output(["grep", "CapEff", "/proc/self/status"], text=True).split()

    os.environ["SECRET_OF_ROOT"] = "x"
    account = pwd.getpwnam("games")
    for uid, gid in ((0, 0), (account.pw_uid, account.pw_gid), (4_000_000, 65534)):
        rows, environment = in_child(uid, rights, 30)
        values = {row[0]: row[1:] for row in rows}
        assert set(values["Uid:"]) == {str(uid)}
        assert set(values["Gid:"]) == {str(gid)}
        assert {int(values[f"Cap{kind}:"][0], 16) for kind in ("Prm", "Eff", "Inh", "Amb")} == {0}
        assert values["NoNewPrivs:"] == ["1"]
        assert "SECRET_OF_ROOT" not in environment
        assert environment["HOME"] == "/nonexistent"
        assert in_child(uid, exec_gains, 30) == ["CapEff:", "0000000000000000"]
    for none in (-1, 2**32 - 1):
        assert in_child(none, rights, 30) is None
    assert in_child(0, lambda: "x" * 2 * MAX_LINE, 30) is None


@pytest.mark.parametrize("deep", ["[" * 200_000, '{"owners":' * 20_000, '{"tree":' + "[" * 200_000])
def test_a_question_without_a_bottom_ends_nothing(path, listener, deep):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(deep.encode() + b"\n")
        assert connection.recv(1) == b""
    assert f"pid={os.getpid()}," in asked(AGENT, path, "owners", [inode(listener)])
