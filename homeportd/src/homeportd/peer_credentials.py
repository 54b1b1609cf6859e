"""The process at the other end of a unix socket, as the kernel knows it: SO_PEERCRED, unix(7)."""

from __future__ import annotations

import socket
import struct
from asyncio.trsock import TransportSocket

_UCRED = struct.Struct("3i")  # pid, uid, gid


def peer_uid(connection: socket.socket | TransportSocket | None) -> int | None:
    """The user id of the process that connected; None where the kernel does not say (macOS, no unix socket).

    Raises OSError for a socket that is closed.
    """
    option = getattr(socket, "SO_PEERCRED", None)
    if connection is None or option is None or connection.family != socket.AF_UNIX:
        return None
    _pid, uid, _gid = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))
    return int(uid)
