"""Asking the tunnel daemon of this user, over its socket."""

from __future__ import annotations

import json
import socket
from typing import Any, Final

from homeportd.cli.errors import REFUSED, UNREACHABLE, Failure
from homeportd.cli.options.tunnel_options import failure_of

SOCKET: Final = "~/.local/state/homeport/daemon.sock"  # as in tunnels.state, which takes longer to import
TIMEOUT: Final = 30.0  # seconds; a new tunnel waits for the edge's answer
MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes
START: Final = "homeport daemon start"


class NoDaemon(Failure):
    """No daemon runs."""

    def __init__(self) -> None:
        super().__init__("the tunnel daemon does not run", START, UNREACHABLE)


def ask(request: dict[str, Any], timeout: float = TIMEOUT) -> dict[str, Any]:
    """The daemon's answer. Raises Failure: NoDaemon, or what the daemon said."""
    from pathlib import Path

    path = Path(SOCKET).expanduser()
    received = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            while not received.endswith(b"\n") and len(received) <= MAX_ANSWER:
                part = connection.recv(256 * 1024)
                if not part:
                    break
                received += part
        except (FileNotFoundError, ConnectionError):  # never there, or ending at this moment
            raise NoDaemon from None
        except TimeoutError:
            raise Failure(
                f"the daemon did not answer within {timeout:g} s", "homeport daemon status", UNREACHABLE
            ) from None
        except OSError as error:
            raise Failure(
                f"cannot ask the daemon at {path}: {error.strerror or error}", START, UNREACHABLE
            ) from error
    if not received:
        raise NoDaemon
    try:
        answer = json.loads(received)
    except ValueError:
        raise Failure("the daemon ended while it answered", START, UNREACHABLE) from None
    if not isinstance(answer, dict):
        raise Failure("the daemon's answer was not understood", "homeport daemon stop, then start", REFUSED)
    if "error" in answer:
        raise failure_of(answer["error"])
    return answer


def nudge() -> bool:
    """Have a daemon try again at once, after ~/.config/homeport/edge.toml changed; False when there is none."""
    try:
        ask({"do": "nudge"}, 2.0)
    except Failure:
        return False
    return True
