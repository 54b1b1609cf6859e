"""The user manager: the systemd of the agent's user, asked by D-Bus over its own socket.

That socket is there wherever the manager is; a message bus of the user's, which small systems lack, is not needed.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from jeepney.auth import BEGIN, Authenticator
from jeepney.low_level import HeaderFields, Message, MessageType, Parser
from jeepney.wrappers import DBusAddress, new_method_call

CALL_S: Final = 5.0  # for one answer of the manager, which takes milliseconds
READ: Final = 16 * 1024
MAX_ANSWER: Final = 1024 * 1024  # bytes
NO_SUCH_UNIT: Final = "org.freedesktop.systemd1.NoSuchUnit"

Property = tuple[str, tuple[str, Any]]  # a name, and a value with its D-Bus signature

_MANAGER: Final = DBusAddress(
    "/org/freedesktop/systemd1",
    bus_name="org.freedesktop.systemd1",
    interface="org.freedesktop.systemd1.Manager",
)


class ManagerError(Exception):
    """The manager refused; `name` is the D-Bus name of the error."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class UserManager:
    """One connection. As a context manager: closed at the end of the block. Blocks for milliseconds.

    Raises OSError where there is no manager, ManagerError where it refuses.
    """

    def __init__(self, path: Path) -> None:
        self._parser = Parser()
        self._serial = 0
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(CALL_S)
            self._socket.connect(str(path))
            self._authenticate()
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> UserManager:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def start(self, unit: str, properties: Sequence[Property]) -> None:
        """Start a transient unit; the manager goes on with it by itself."""
        self._call("StartTransientUnit", "ssa(sv)a(sa(sv))", (unit, "fail", list(properties), []))

    def kill(self, unit: str, number: int) -> None:
        """Signal every process of a unit, and stop it. Harmless where there is no such unit."""
        try:
            self._call("KillUnit", "ssi", (unit, "all", number))
            self._call("StopUnit", "ss", (unit, "replace"))
        except ManagerError as error:
            if error.name != NO_SUCH_UNIT:
                raise

    def _authenticate(self) -> None:
        self._socket.sendall(b"\0")
        authenticator = Authenticator(inc_null_byte=False)
        for request in authenticator:
            self._socket.sendall(request)
            answer = self._socket.recv(READ)
            if not answer:
                raise ConnectionResetError("the user manager closed the connection")
            authenticator.feed(answer)
        self._socket.sendall(BEGIN)

    def _call(self, method: str, signature: str, body: tuple[Any, ...]) -> tuple[Any, ...]:
        self._serial += 1
        self._socket.sendall(new_method_call(_MANAGER, method, signature, body).serialise(self._serial))
        answer = self._answer()
        result: tuple[Any, ...] = answer.body
        if answer.header.message_type is MessageType.error:
            raise ManagerError(
                answer.header.fields.get(HeaderFields.error_name, ""),
                str(result[0]) if result else "it gives no reason",
            )
        return result

    def _answer(self) -> Message:
        """The answer to the last call; signals in between are passed over."""
        read = 0
        while True:
            message = self._parser.get_next_message()
            if message is None:
                data = self._socket.recv(READ)
                read += len(data)
                if not data or read > MAX_ANSWER:
                    raise ConnectionResetError("the user manager closed the connection")
                self._parser.add_data(data)
            elif message.header.fields.get(HeaderFields.reply_serial) == self._serial:
                return message
