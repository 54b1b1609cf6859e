"""The kernel says who is at the other end of a unix socket."""

from __future__ import annotations

import os
import socket
import sys

import pytest

from homeportd.peer_credentials import peer_uid


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SO_PEERCRED is Linux's")
def test_the_user_of_the_other_process():
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert peer_uid(ours) == os.getuid()


def test_what_is_no_unix_socket_names_nobody():
    with socket.socket(socket.AF_INET) as connection:
        assert peer_uid(connection) is None
    assert peer_uid(None) is None
