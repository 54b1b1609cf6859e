"""The client of this user's tunnel daemon: one JSON object in, one out, over its unix socket."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any, Final

from homeportd import json_text
from homeportd.cli.errors import REFUSED, UNREACHABLE, Failure
from homeportd.cli.tunnel_failures import failure_of
from homeportd.tunnels.status import AddedTunnel, DaemonStatus, ErrorStatus, TunnelStatus

if TYPE_CHECKING:
    from homeportd.tunnels.model import TunnelSpec  # pydantic: too slow for help and completion

SOCKET: Final = "~/.local/state/homeport/daemon.sock"  # as in tunnels.state, which takes longer to import
TIMEOUT: Final = 30.0  # seconds; a new tunnel waits for the edge's answer
RETRY_S: Final = 2.0
MAX_ANSWER: Final = 16 * 1024 * 1024  # bytes
START: Final = "homeport daemon start"
_NO_ANSWER: Final[ErrorStatus] = {
    "reason": "unreachable",
    "detail": "the edge did not answer in time",
    "fix": "",
}


class NoDaemon(Failure):
    """The Failure of a command that needs the daemon, where none runs."""

    def __init__(self) -> None:
        super().__init__("the tunnel daemon does not run", START, UNREACHABLE)


def ask(request: dict[str, Any], timeout: float = TIMEOUT) -> Any:
    """The daemon's answer, a JSON object. Raises Failure: NoDaemon, or the error that the daemon answered."""
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
        answer = json_text.loads(bytes(received))
    except ValueError:
        raise Failure("the daemon ended while it answered", START, UNREACHABLE) from None
    if not isinstance(answer, dict):
        raise Failure("the daemon's answer was not understood", "homeport daemon stop, then start", REFUSED)
    if "error" in answer:
        raise failure_of(answer["error"])
    return answer


def status(timeout: float = TIMEOUT) -> DaemonStatus:
    """The daemon, its links and its tunnels. Raises Failure."""
    found: DaemonStatus = ask({"do": "status"}, timeout)
    return found


def add_tunnel(spec: TunnelSpec) -> TunnelStatus:
    """Give the daemon a tunnel; returns it once it is live. Raises Failure, also where it opens later."""
    fields = spec.model_dump(mode="json", exclude_none=True)
    # `wish`: the key before December 2026; a daemon of then may run on after an upgrade. Until 0.3.
    answer: AddedTunnel = ask({"do": "add", "spec": fields, "wish": fields})
    tunnel = answer["tunnel"]
    if tunnel["state"] == "live":
        return tunnel
    failure = failure_of(answer["problem"] or _NO_ANSWER)
    raise Failure(
        f"{failure.detail}; the tunnel to {tunnel['target']} is kept, and opens as soon as it can",
        failure.fix or "homeport daemon status",
        failure.code if failure.code != REFUSED else UNREACHABLE,
    )


def remove_tunnels(what: str, *, missing_ok: bool = False) -> list[TunnelStatus]:
    """End the tunnels with this key, address, name, port, target or label; the tunnels as they were. Raises Failure."""
    removed: list[TunnelStatus] = ask({"do": "remove", "what": what, "missing_ok": missing_ok})["removed"]
    return removed


def stop(timeout: float = TIMEOUT) -> None:
    """Ask the daemon to end; it does so after it has answered. Raises Failure."""
    ask({"do": "stop"}, timeout)


def retry() -> bool:
    """Have a daemon dial again at once, after ~/.config/homeport/edge.toml changed; False when none did."""
    for request in ("retry", "nudge"):  # `nudge`: as `wish` above
        with contextlib.suppress(Failure):
            ask({"do": request}, RETRY_S)
            return True
    return False
