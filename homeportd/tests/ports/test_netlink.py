"""The kernel's answer, and answers that no kernel gives."""

from __future__ import annotations

import errno
import os
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.ports import netlink as module
from homeportd.ports.netlink import Listener, parse
from homeportd.sock_diag import NetlinkError, messages

from .conftest import held, on


def message(kind, payload=b"", *, flags=2, length=None):
    """One netlink message."""
    size = 16 + len(payload) if length is None else length
    padded = payload + bytes(-len(payload) % 4)
    return struct.pack("=IHHII", size, kind, flags, 1, 0) + padded


def record(address="127.0.0.1", port=3000, *, state=10, uid=1000, inode=77, attributes=b""):
    """One inet_diag_msg."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    packed = socket.inet_pton(family, address).ljust(16, b"\0")
    head = struct.pack("=BBBB", family, state, 0, 0) + struct.pack("!HH", port, 0)
    return head + packed + bytes(16 + 4 + 8) + struct.pack("=IIIII", 0, 0, 0, uid, inode) + attributes


V6ONLY_NO = struct.pack("=HHB3x", 5, 11, 0)
V6ONLY_YES = struct.pack("=HHB3x", 5, 11, 1)
TOS = struct.pack("=HHB3x", 5, 5, 0)


@pytest.mark.parametrize(
    ("bind", "shown"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "0.0.0.0"), ("127.0.0.5", "127.0.0.5"), ("::1", "::1")],
)
def test_each_address_is_seen_as_it_was_bound(netlink, listen, bind, shown):
    port = listen(bind).getsockname()[1]
    (found,) = on(port, netlink.listeners())
    assert (found.address, found.uid, found.dual_stack) == (shown, os.geteuid(), False)


@pytest.mark.parametrize("dual", [True, False])
def test_an_ipv6_wildcard_says_whether_it_takes_ipv4(netlink, listen, dual):
    port = listen("::", dual=dual).getsockname()[1]
    (found,) = on(port, netlink.listeners())
    assert (found.address, found.dual_stack) == ("::", dual)


def test_a_mapped_address_is_shown_as_the_ipv4_address_that_reaches_it(netlink, stack):
    made = stack.enter_context(socket.socket(socket.AF_INET6))
    made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    made.bind(("::ffff:127.0.0.1", 0))
    made.listen()
    (found,) = on(made.getsockname()[1], netlink.listeners())
    assert found.address == "127.0.0.1"


def test_a_bound_or_connected_socket_is_no_listener(netlink, listen, stack):
    server = listen()
    bound = stack.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    client = stack.enter_context(socket.create_connection(server.getsockname()))
    found = {one.port for one in netlink.listeners()}
    assert server.getsockname()[1] in found
    assert not found & {bound.getsockname()[1], client.getsockname()[1]}


def test_the_inode_is_that_of_the_socket(netlink, listen):
    server = listen()
    (found,) = on(server.getsockname()[1], netlink.listeners())
    assert os.fstat(server.fileno()).st_ino == found.inode


def test_300_listeners_come_in_one_answer_that_is_remembered(netlink, listen):
    ports = {listen().getsockname()[1] for _ in range(150)} | {
        listen("::1").getsockname()[1] for _ in range(150)
    }
    found = netlink.listeners()
    assert ports <= {one.port for one in found}
    # The table is the whole machine's: others may open a socket between two looks, hardly between a hundred.
    assert any(netlink.listeners() is netlink.listeners() for _ in range(50))


def test_a_closed_listener_is_gone(netlink, listen):
    server = listen()
    port = server.getsockname()[1]
    assert on(port, netlink.listeners())
    server.close()
    assert not on(port, netlink.listeners())


def test_another_network_namespace_does_not_show(netlink, serve):
    command = ("unshare", "--net", "--user", "--map-root-user")
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel lets us make no network namespace")
    started, port = serve("0.0.0.0", prefix=command)
    assert started.poll() is None
    assert Path(f"/proc/{started.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    sockets = {each for each in held(started.pid) if each.startswith("socket:")}
    assert port
    assert sockets
    assert not sockets & {f"socket:[{one.inode}]" for one in netlink.listeners()}


def test_a_closed_scanner_opens_again(netlink, listen):
    port = listen().getsockname()[1]
    netlink.close()
    assert on(port, netlink.listeners())


def test_records_are_read_as_the_header_file_says():
    datagram = b"".join(
        message(20, payload)
        for payload in (
            record(),
            record("::", 3001, attributes=TOS + V6ONLY_NO),
            record("::", 3002, attributes=TOS + V6ONLY_YES),
            record("::", 3003),
            record("::1", 3004, attributes=V6ONLY_NO),
            record("::ffff:10.0.0.1", 3005),
            record(state=1, port=3006),
        )
    )
    assert parse((datagram, message(3, bytes(4)))) == (
        Listener("127.0.0.1", 3000, 77, 1000),
        Listener("::", 3001, 77, 1000, dual_stack=True),
        Listener("::", 3002, 77, 1000),
        Listener("::", 3003, 77, 1000),
        Listener("::1", 3004, 77, 1000),
        Listener("10.0.0.1", 3005, 77, 1000),
    )


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    try:
        found = parse((data,))
    except NetlinkError:
        return
    assert all(0 < one.port < 65536 for one in found)


@given(
    st.lists(st.tuples(st.sampled_from([2, 3, 4, 20, 99]), st.binary(max_size=120)), max_size=5), st.data()
)
def test_a_cut_or_bent_answer_never_breaks_the_reader(parts, data):
    whole = b"".join(message(kind, payload) for kind, payload in parts)
    cut = whole[: data.draw(st.integers(0, len(whole)))]
    if cut:
        at = data.draw(st.integers(0, len(cut) - 1))
        cut = cut[:at] + bytes([data.draw(st.integers(0, 255))]) + cut[at + 1 :]
    for read in (lambda: parse((cut,)), lambda: list(messages(cut)), lambda: module._is_last(cut)):
        try:
            read()
        except (NetlinkError, module._Again):
            continue


@given(st.binary(max_size=64))
def test_damaged_attributes_do_not_matter(tail):
    found = module.listener(record("::", 3000, attributes=tail))
    assert found is not None
    assert found.port == 3000


class Kernel:
    """The other end of a socket pair in the kernel's place: what it would say is put there beforehand."""

    def __init__(self, stack):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.asked = stack.enter_context(theirs)
        self.ours = ours

    def say(self, *datagrams):
        for datagram in datagrams:
            self.asked.send(datagram)
        return self.ours


class Answered:
    """A socket of `Netlink` whose peer is a Kernel: unix datagrams have no port id, so they get its 0."""

    def __init__(self, ours):
        self._ours = ours

    def sendto(self, data, address):
        assert address == (0, 0)
        return self._ours.send(data)

    def recvmsg_into(self, buffers):
        count, ancillary, flags, _ = self._ours.recvmsg_into(buffers)
        return count, ancillary, flags, (0, 0)

    def close(self):
        self._ours.close()


@pytest.fixture
def said(monkeypatch, stack):
    """Have each socket that is opened next answer with these datagrams."""
    opened = []

    def said(*answers):
        pending = list(answers)

        def open_(_self):
            kernel = Kernel(stack)
            ours = kernel.say(*pending.pop(0))
            ours.settimeout(0.05)
            opened.append(ours)
            return Answered(ours)

        monkeypatch.setattr(module.Netlink, "_open", open_)
        return opened

    return said


DONE = message(3, bytes(4))
GOOD = (message(20, record()), DONE, message(20, record("::1", 3001)) + DONE)


@pytest.mark.parametrize(
    "bad",
    [
        message(2, struct.pack("=i", -errno.ENOBUFS)),
        message(2, struct.pack("=i", -errno.EINTR)),
        message(3, struct.pack("=i", -errno.EAGAIN)),
        message(4),
        message(20, record(), flags=0x12),
        message(20, record()) * 800,  # longer than the buffer
    ],
    ids=["no buffers", "interrupted", "again", "overrun", "inconsistent", "truncated"],
)
def test_a_dump_that_went_wrong_is_made_again_on_a_new_socket(said, netlink, bad):
    opened = said((bad,), GOOD)
    assert [one.port for one in netlink.listeners()] == [3000, 3001]
    assert len(opened) == 2


def test_a_kernel_that_never_answers_properly_is_an_error_and_not_a_loop(said, netlink):
    opened = said(*[(message(4),)] * 10)
    with pytest.raises(NetlinkError, match="changed under"):
        netlink.listeners()
    assert len(opened) == module.ATTEMPTS


def test_a_refusal_is_an_error_with_its_number(said, netlink):
    said((message(2, struct.pack("=i", -errno.EPERM)),))
    with pytest.raises(NetlinkError) as caught:
        netlink.listeners()
    assert caught.value.errno == errno.EPERM


def test_a_kernel_without_ipv6_has_ipv4_listeners(said, netlink):
    said((message(20, record()), DONE, message(2, struct.pack("=i", -errno.ENOENT))))
    assert [one.port for one in netlink.listeners()] == [3000]


def test_a_silent_kernel_is_an_error(said, netlink):
    said(())
    with pytest.raises(TimeoutError):
        netlink.listeners()
