"""The workstation on this machine, as the agent's settings have it now, and the tunnels to it: to all of it, and to
shared ports."""

from __future__ import annotations

import logging
import os
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from homeportd.tunnels import local_edge
from homeportd.tunnels.address import UNIX

if TYPE_CHECKING:
    from homeportd.tunnels.model import TunnelSpec

SHARE: Final = "share "  # begins the label of a tunnel to a shared port, whose number follows
WORKSTATION: Final = "this workstation"  # the label of the tunnel to all of it
VISITORS: Final = "visitors/visitors.sock"  # below the folder of the agent's sockets; as in roles/caddy

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalWorkstation:
    """What the settings say. `name`: at the edge, None where it has none, or another user keeps it.

    `visitors`: the unix socket on which Caddy takes visitors of shared ports from a tunnel. Who may connect to it may
    say who a visitor is: the user of the agent, root, and no others. It and `origin`, that of a port, are None where
    there is no workstation.
    """

    name: str | None
    visitors: str | None
    origin: str | None

    def host_of_port(self, port: int) -> str | None:
        """Host and port of the origin of a port, such as `5173.localhost:8080`."""
        return urlsplit(self.origin.replace("{port}", str(port))).netloc if self.origin else None

    def whole(self) -> TunnelSpec | None:
        """The tunnel by which the whole workstation is reached at the edge; None where it has no name for it."""
        from pydantic import ValidationError  # too slow for commands that need no tunnel

        from homeportd.tunnels.model import TunnelSpec
        from homeportd.tunnels.protocol import Kind

        if self.name is None or self.visitors is None:
            return None
        target = f"{UNIX}{self.visitors}"
        try:
            return TunnelSpec(
                kind=Kind.HTTP, target=target, name=self.name, workstation=True, label=WORKSTATION
            )
        except ValidationError as error:
            _log.error("this workstation's name at the edge is not used: %s", error)
            return None

    def present(self, spec: TunnelSpec) -> TunnelSpec:
        """The tunnel to a shared port with the present socket and origin of the port; any other tunnel as it is.

        Before December 2026 such a tunnel led to a port of Caddy's.
        """
        number = (spec.label or "").removeprefix(SHARE)
        if spec.label != f"{SHARE}{number}" or not number.isdigit():
            return spec
        host = self.host_of_port(int(number))
        if self.visitors is None or host is None:
            return spec
        return spec.model_copy(update={"target": f"{UNIX}{self.visitors}", "host": host})


def read() -> LocalWorkstation:
    """Read the settings."""
    keys = local_edge.settings()
    name, user, folder, origin = (keys.get(key) for key in ("edge_name", "user", "socket_dir", "origin"))
    root = os.geteuid() == 0
    # An account that was made for the agent has no daemon: root's does.
    mine = root if keys.get("user_reason") == "root" else user in (None, *_names_of_user())
    return LocalWorkstation(
        name=name if isinstance(name, str) and mine else None,
        visitors=f"{folder}/{VISITORS}" if isinstance(folder, str) and origin is not None else None,
        origin=origin if isinstance(origin, str) else None,
    )


def _names_of_user() -> tuple[str, ...]:
    try:
        return (pwd.getpwuid(os.geteuid()).pw_name,)
    except KeyError:
        return ()


def follow(specs: Sequence[TunnelSpec]) -> tuple[list[TunnelSpec | None], TunnelSpec | None]:
    """(What each of a daemon's tunnels is to be now, None where it is to end; the tunnel of the whole workstation where
    it is missing)."""
    here = read()
    wanted = here.whole()
    now: list[TunnelSpec | None] = []
    for spec in specs:
        if spec.label == WORKSTATION:
            now.append(spec if spec == wanted else None)
        else:
            now.append(here.present(spec))
    return now, None if wanted in now else wanted
