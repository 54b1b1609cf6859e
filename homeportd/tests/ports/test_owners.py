"""Whose a socket is: processes that fork, end, are recycled, or belong to others."""

from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homeportd.ports import owners as module
from homeportd.ports import process
from homeportd.ports.owners import Due, Owners

from .conftest import SERVER, alive, on, wait_for_end
from .conftest import process as running

# Listens, forks a child that keeps the socket, tells both pids, and waits for a byte before it ends.
FORKER = """
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
child = os.fork()
if child == 0:
    time.sleep(600)
print(server.getsockname()[1], child, flush=True)
sys.stdin.read(1)
"""

# As nobody, tells who listens on a port, if an owner is known, and if it would be asked for again a second later.
AS_NOBODY = """
import json, os, sys
from homeportd.ports.netlink import Netlink
from homeportd.ports.owners import Owners
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
netlink, owners = Netlink(), Owners()
listeners = tuple(one for one in netlink.listeners() if one.port == int(sys.argv[1]))
owners.learn(owners.look_up(owners.due(listeners, 0.0)), 0.0)
seen = [(one.address, one.uid, owners.owner(one) is None) for one in listeners]
print(json.dumps([seen, bool(owners.due(listeners, 1.0))]))
"""


def look(netlink, owners, port, *, at=None):
    """One scan as the service makes it; the owner of a port."""
    now = time.monotonic() if at is None else at
    listeners = tuple(on(port, netlink.listeners()))
    due = owners.due(listeners, now)
    if due:
        owners.learn(owners.look_up(due), now)
    return owners.owner(listeners[0]) if listeners else None


@pytest.fixture
def forked(stack):
    """(parent, port, child pid); both are ended."""
    parent = stack.enter_context(running(sys.executable, "-c", FORKER))
    port, child = map(int, parent.stdout.readline().split())

    def end_child():
        if alive(child):
            os.kill(child, 9)
            wait_for_end(child)

    stack.callback(end_child)
    return parent, port, child


def end(parent):
    """Have it end and be reaped."""
    parent.stdin.write(b"\n")
    parent.stdin.flush()
    parent.wait(60)


def test_an_owner_is_all_that_a_person_asks_of_a_process(netlink, owners, serve, tmp_path):
    started, port = serve(cwd=tmp_path)
    owner = look(netlink, owners, port)
    assert owner.pid == started.pid
    assert owner.user == pwd.getpwuid(os.geteuid()).pw_name
    assert owner.argv[1] == "-c"
    assert owner.argv[-2:] == ("127.0.0.1", "0")
    assert owner.cwd == tmp_path
    assert abs(owner.started_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_known_owner_is_not_looked_up_again(netlink, owners, serve):
    _, port = serve()
    look(netlink, owners, port)
    listeners = tuple(on(port, netlink.listeners()))
    assert not owners.due(listeners, time.monotonic())
    assert not owners.due(listeners, time.monotonic())


def test_of_several_holders_the_first_ancestor_is_the_owner(netlink, owners, forked):
    parent, port, _ = forked
    assert look(netlink, owners, port).pid == parent.pid


def test_a_child_takes_over_when_its_parent_ends(netlink, owners, forked):
    parent, port, child = forked
    assert look(netlink, owners, port).pid == parent.pid
    end(parent)
    assert look(netlink, owners, port).pid == child


def test_a_recycled_pid_does_not_inherit_a_socket(netlink, owners, forked, stack):
    parent, port, child = forked
    before = look(netlink, owners, port)
    assert before.pid == parent.pid
    end(parent)
    last = Path("/proc/sys/kernel/ns_last_pid")
    for _ in range(50):
        try:
            last.write_text(str(before.pid - 1))
        except OSError:
            pytest.skip("only root may choose the next pid")
        other = stack.enter_context(running("sleep", "600"))
        if other.pid == before.pid:
            break
    else:
        pytest.skip("the pid was never free")
    assert look(netlink, owners, port).pid == child


def test_a_holder_of_another_start_time_is_looked_up_anew(netlink, owners, serve):
    started, port = serve()
    (listener,) = on(port, netlink.listeners())
    found = owners.look_up(Due(frozenset({listener.inode})))
    owners.learn(found, 0)
    right = found.holders[listener.inode]
    wrong = module.SocketOwner(right.pid, right.started - 1, right.descriptor, right.owner)
    again = module.look_up(Due(known={listener.inode: wrong}), {right.pid})
    assert again.holders[listener.inode] == right
    assert right.pid == started.pid


def test_a_holder_that_closed_its_socket_is_found_out(netlink, owners, forked):
    _, port, child = forked
    look(netlink, owners, port)
    (listener,) = on(port, netlink.listeners())
    # As if the parent had closed it: the descriptor that was noted is another thing by now.
    known = owners._holders[listener.inode]
    gone = module.SocketOwner(known.pid, known.started, 0, known.owner)
    found = module.look_up(Due(known={listener.inode: gone}), {known.pid, child})
    assert found.holders[listener.inode] == known


def test_known_holders_are_read_again_now_and_then(netlink, owners, serve):
    _, port = serve()
    now = time.monotonic()
    look(netlink, owners, port, at=now)
    listeners = tuple(on(port, netlink.listeners()))
    assert not owners.due(listeners, now)
    assert owners.due(listeners, now + module.VERIFY_EVERY + 1).known
    assert not owners.due(listeners, now + module.VERIFY_EVERY + 2)


def test_without_pidfds_holders_are_checked_every_second(netlink, owners, forked, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIDFDS", 0)
    parent, port, child = forked
    now = time.monotonic()
    assert look(netlink, owners, port, at=now).pid == parent.pid
    end(parent)
    assert look(netlink, owners, port, at=now + module.VERIFY_UNWATCHED).pid == child


def test_descriptors_are_given_back(netlink, serve):
    before = set(Path("/proc/self/fd").iterdir())
    owners = Owners()
    started, port = serve()
    netlink.listeners()
    look(netlink, owners, port)
    started.kill()
    started.wait()
    assert look(netlink, owners, port) is None
    assert not owners._pidfds
    _, port = serve()
    look(netlink, owners, port)
    owners.close()
    netlink.close()
    pipes = 4  # of the two processes
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= pipes


def test_a_socket_that_nobody_holds_is_retried_ever_more_rarely(owners, listen, netlink, monkeypatch):
    (listener,) = on(listen().getsockname()[1], netlink.listeners())
    monkeypatch.setattr(process, "find_holders", lambda inodes: {})
    asked = []
    for second in range(200):
        due = owners.due((listener,), float(second))
        if due.unknown:
            asked.append(second)
            owners.learn(owners.look_up(due), float(second))
    assert asked == [0, 2, 6, 14, 30, 62, 126, 190]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_process_of_another_user_is_a_listener_without_owner(listen):
    server = listen("0.0.0.0")
    port = server.getsockname()[1]
    command = [sys.executable, "-c", AS_NOBODY, str(port)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    # Not a fork of ours, which Python warns of where an earlier test has left a thread.
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert answer.returncode == 0, answer.stderr
    seen, due = json.loads(answer.stdout)
    assert seen == [["0.0.0.0", 0, True]]
    assert not due  # not asked again a second later


def test_an_undecodable_command_line_and_a_deleted_folder_do_no_harm(netlink, owners, stack, tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    command = (sys.executable, "-c", SERVER, "127.0.0.1", "0", b"\xff\xfe", "x" * 9000)
    started = stack.enter_context(running(*command, cwd=folder))
    port = int(started.stdout.readline())
    folder.rmdir()
    owner = look(netlink, owners, port)
    assert owner.cwd == folder
    assert owner.argv[5].encode()  # valid text
    assert sum(map(len, owner.argv)) <= process.MAX_COMMAND


def test_a_name_with_blanks_and_parentheses_does_not_confuse_the_reader(stack, tmp_path):
    program = tmp_path / "a) S (b"
    program.symlink_to("/bin/sleep")
    started = stack.enter_context(running(str(program), "600"))
    deadline = time.monotonic() + 30
    while process.stat(started.pid).name != "a) S (b":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert process.stat(started.pid).parent == os.getpid()


def test_sockets_of_this_process(listen):
    server = listen()
    inode = os.fstat(server.fileno()).st_ino
    assert (server.fileno(), inode) in set(process.sockets(os.getpid()))
    assert process.holds(os.getpid(), server.fileno(), inode)
    assert not process.holds(os.getpid(), server.fileno(), inode + 1)


def test_a_socket_handed_over_is_the_receivers(netlink, owners, stack):
    code = (
        "import socket,sys; c=socket.socket(fileno=0); print(socket.recv_fds(c,1,1)[1],flush=True); c.recv(1)"
    )
    ours, theirs = socket.socketpair()
    with ours, theirs:
        started = stack.enter_context(_fed(theirs, code))
        server = socket.create_server(("127.0.0.1", 0))
        port = server.getsockname()[1]
        socket.send_fds(ours, [b"x"], [server.fileno()])
        assert started.stdout.readline()
        assert look(netlink, owners, port).pid in (os.getpid(), started.pid)
        server.close()
        # We live on, so no pidfd tells: it is noticed when holders are next read.
        assert look(netlink, owners, port, at=time.monotonic() + module.VERIFY_EVERY + 1).pid == started.pid
        ours.send(b"x")
        started.wait(60)


def _fed(theirs, code):
    return subprocess.Popen([sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE)
