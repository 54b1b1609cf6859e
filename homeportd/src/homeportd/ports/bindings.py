"""Each share kept at what it was made for, as programs come and go on its port: bound, paused, let go on."""

from __future__ import annotations

import logging
import os

from homeportd.accounts import own_name
from homeportd.errors import Problem, not_found
from homeportd.ports.model import Change, Port, Program
from homeportd.ports.service import Ports
from homeportd.ports.target import binding_of, target
from homeportd.shares.binding import ROOT, Binding
from homeportd.shares.model import Mode, Share
from homeportd.shares.service import Shares
from homeportd.tasks import TaskSet

PATIENCE_S = 2.0  # for a binding to be on disk when the agent ends

log = logging.getLogger(__name__)


class Bindings:
    """Watches ports and shares from `start` on.

    A share is bound to what listens when it is made. One that is made before anything listens is bound to the first
    program of the agent's own user, or to a container of root's; one of a release that bound none to what listens at
    `start`. Whatever else comes pauses the share, until it has gone or the owner lets the share go on.
    """

    def __init__(self, ports: Ports, shares: Shares) -> None:
        self._ports = ports
        self._shares = shares
        self._tasks = TaskSet()
        self._binding: set[int] = set()  # ports whose binding is being written
        self._alive: set[int] = set()  # ports of inherited shares that listened at the start

    def start(self) -> None:
        """Look at every share once, and at each change from now on."""
        listening = self._ports.snapshot()
        self._alive = {
            share.port for share in self._shares.all() if share.inherited and share.port in listening
        }
        self._ports.changed.subscribe(self._port_changed)
        self._shares.changed.subscribe(lambda port, share: self._review(port))
        for share in self._shares.all():
            self._review(share.port)

    async def close(self) -> None:
        """Let what is being written be written."""
        await self._tasks.close(PATIENCE_S)

    async def resume(self, port: int) -> Share:
        """Let a paused share go on with what listens on its port now. Raises Problem 404 without a share, 409 when
        nothing listens there."""
        share = self._shares.get(port)
        if share is None or share.mode is Mode.PRIVATE:
            raise not_found(f"a share of port {port}", "homeport list shows what is shared")
        if share.binding is not None and share.paused is None:
            return share
        await self._ports.look_again()
        found = self._ports.get(port)
        if found is None:
            raise Problem(
                409, f"nothing listens on port {port}", "start its server, then let the share go on"
            )
        return await self._shares.bind(port, binding_of(found.programs[0]))

    def _port_changed(self, change: Change) -> None:
        self._review(change.port.port)

    def _review(self, number: int) -> None:
        share = self._shares.get(number)
        if share is None or share.mode is Mode.PRIVATE:
            return
        port = self._ports.get(number)
        if port is None:
            self._alive.discard(number)
            self._shares.pause(number, None)
        elif share.binding is None:
            self._first_sight(share, port)
        elif target(port, share, owner=False) is not None:
            self._shares.pause(number, None)
        elif not any(not one.settled and one.uid in (share.binding.uid, ROOT) for one in port.programs):
            self._shares.pause(number, reason(share.binding, port.programs[0]))

    def _first_sight(self, share: Share, port: Port) -> None:
        """Bind a share that is bound to nothing yet, or pause it. Until then, it leads nowhere."""
        program = port.programs[0]
        if not program.settled:
            return  # a look at its owner is under way
        own = program.uid == os.getuid() or (
            program.uid == ROOT and program.owner is not None and program.owner.contained
        )
        if share.port in self._alive if share.inherited else own:
            if share.port not in self._binding:
                self._binding.add(share.port)
                self._tasks.spawn(self._bind(share.port, binding_of(program)), f"shares: bind {share.port}")
            return
        made_for = None if share.inherited else Binding(os.getuid(), own_name())
        self._shares.pause(share.port, reason(made_for, program))

    async def _bind(self, port: int, binding: Binding) -> None:
        try:
            await self._shares.bind(port, binding)
        except Exception as error:
            log.error("the share of port %d is closed: %s: %s", port, type(error).__name__, error)
        finally:
            self._binding.discard(port)


def reason(made_for: Binding | None, program: Program) -> str:
    """The reason of a pause, as a sentence; `made_for` None: an earlier release did not note it."""
    who = f"a program of {program.user or 'an unknown user'}"
    where = f" in the repo {program.worktree}" if program.worktree else ""
    meant = made_for.text if made_for else "what an earlier release did not note"
    return f"It was made for {meant}, and {who}{where} listens there now."
