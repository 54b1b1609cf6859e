"""The socket that a connection would reach, by the kernel's own word."""

from __future__ import annotations

import os
import socket

import pytest

from homeportd.ports.socket_lookup import SocketLookup


@pytest.fixture
def lookup(stack):
    made = SocketLookup()
    stack.callback(made.close)
    return made


def inode(server):
    return os.fstat(server.fileno()).st_ino


@pytest.mark.parametrize(
    ("bound", "dual", "asked", "found"),
    [
        ("127.0.0.1", False, "127.0.0.1", True),
        ("127.0.0.1", False, "::1", False),
        ("0.0.0.0", False, "127.0.0.1", True),
        ("::1", False, "::1", True),
        ("::", True, "127.0.0.1", True),
        ("::", True, "::1", True),
        ("::", False, "127.0.0.1", False),
    ],
)
def test_each_address_leads_to_its_own_socket(lookup, listen, bound, dual, asked, found):
    server = listen(bound, dual=dual)
    wanted = inode(server) if found else None
    assert lookup.inode((asked, server.getsockname()[1])) == wanted


def test_of_two_on_one_number_each_has_its_own(lookup, listen):
    first = listen("127.0.0.1")
    number = first.getsockname()[1]
    second = listen("::1", number)
    assert lookup.inode(("127.0.0.1", number)) == inode(first)
    assert lookup.inode(("::1", number)) == inode(second)


def test_connections_that_are_open_are_not_what_is_asked_for(lookup, listen):
    server = listen("127.0.0.1")
    with socket.create_connection(server.getsockname()) as client, server.accept()[0]:
        assert lookup.inode(server.getsockname()) == inode(server)
        assert lookup.inode(client.getsockname()) is None


def test_what_takes_the_number_is_seen_at_once_when_asked_afresh(lookup, listen):
    server = listen("127.0.0.1")
    address = server.getsockname()
    before = lookup.inode(address)
    server.close()
    assert lookup.inode(address, fresh=True) is None
    again = listen("127.0.0.1", address[1])
    assert lookup.inode(address, fresh=True) == inode(again) != before
