"""The daemon: a client that runs in the background, whose tunnels come back whenever it does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic import ValidationError

from homeportd import __version__, clock, sd_notify
from homeportd.tunnels import account, state
from homeportd.tunnels.client import Client
from homeportd.tunnels.control import Control
from homeportd.tunnels.errors import Problem, Reason
from homeportd.tunnels.limits import raise_descriptors
from homeportd.tunnels.model import FINAL, State, TunnelSpec
from homeportd.tunnels.state import Files, Lock
from homeportd.tunnels.tunnel import Tunnel

ADD_S: Final = 15.0  # seconds in which the edge answers a new tunnel, or it is told to be waited for:
AWAY_S: Final = 3.0  # these where it is known to be away
SAVE_S: Final = 1.0  # seconds in which changes of tunnels are gathered

_log = logging.getLogger(__name__)
_LATER: Final = frozenset((Reason.UNREACHABLE, Reason.LIMIT))


class Daemon:
    """One for each user. `serve` runs until it is asked to stop."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._client = Client(account.load, rotated=account.replace_token, changed=self._changed)
        self._control = Control(files, self._answer)
        self._stop = asyncio.Event()
        self._dirty = asyncio.Event()
        self._stored: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []  # tunnels of the file that this release cannot read
        self._started_at = clock.now()
        self._adding: list[TunnelSpec] = []
        self._added = asyncio.Condition()

    async def serve(self) -> None:
        """Run. Raises Problem when another daemon does, or the tunnels cannot be read."""
        self._files.make()
        with Lock(self._files):
            self._restore()
            state.write_process(self._files)
            await self._control.start()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop.set)
            loop.add_signal_handler(signal.SIGHUP, self._client.nudge)
            tasks = [
                asyncio.create_task(work) for work in (self._client.run(), self._save(), self._watchdog())
            ]
            stop = asyncio.create_task(self._stop.wait())
            _log.info("homeport %s, %d tunnels", __version__, len(self._client.tunnels))
            sd_notify.notify("READY=1")
            try:
                done, _ = await asyncio.wait((*tasks, stop), return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stop}:
                    task.result()  # none of them ends but by a mistake of ours
            finally:
                sd_notify.notify("STOPPING=1")
                await self._control.close()
                for task in (*tasks, stop):
                    task.cancel()
                await asyncio.gather(*tasks, stop, return_exceptions=True)
                self._store()
                self._files.process.unlink(missing_ok=True)

    # Tunnels on disk

    def _restore(self) -> None:
        for item in state.load_tunnels(self._files):
            try:
                spec = TunnelSpec.model_validate(item["wish"])
            except (ValidationError, KeyError) as error:
                _log.error("a tunnel in %s is left out: %s", self._files.tunnels, error)
                self._unread.append(item)
                continue
            # The daemon ended while this one took the place of another.
            for older in [t for t in self._client.tunnels.values() if t.spec.same_place(spec)]:
                self._client.remove(older)
            tunnel = self._client.add(spec, item.get("name"), item.get("port"))
            ended = item.get("ended")
            if ended in {final.value for final in FINAL}:
                tunnel.become(
                    State(ended), Problem(Reason.ENDED, f"it was {ended}", "homeport tunnels add, again")
                )
        self._stored = self._items()

    def _items(self) -> list[dict[str, Any]]:
        return [
            {
                "wish": tunnel.spec.model_dump(mode="json", exclude_none=True),
                "name": tunnel.name,
                "port": tunnel.port,
                "ended": tunnel.state.value if tunnel.is_final else None,
            }
            for tunnel in self._client.tunnels.values()
        ] + self._unread

    def _changed(self) -> None:
        self._dirty.set()

    def _store(self) -> None:
        items = self._items()
        if items != self._stored:
            state.store_tunnels(self._files, items)
            self._stored = items

    async def _save(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                self._store()
            except OSError as error:
                _log.error("the tunnels cannot be stored: %s", error.strerror or error)
            await asyncio.sleep(SAVE_S)

    async def _watchdog(self) -> None:
        period = sd_notify.watchdog_s()
        while period:
            with contextlib.suppress(OSError):  # no descriptor is free, say: the next will do
                sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(period)
        await asyncio.Event().wait()

    # The command line's requests

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("do"):
            case "status":
                return self._status()
            case "add":
                return await self._add(request.get("wish"))
            case "remove":
                return self._remove(request)
            case "nudge":
                self._client.nudge()
                return {"ok": True}
            case "stop":
                self._stop.set()
                return {"ok": True}
        raise Problem(
            Reason.REQUEST, f"no such request: {request.get('do')!r}", "use homeport of this release"
        )

    def _status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": clock.to_text(self._started_at),
            **self._client.view(),
        }

    async def _add(self, said: Any) -> dict[str, Any]:
        """Open a tunnel and keep it. What the edge refuses is not kept; what cannot be asked yet is."""
        try:
            spec = TunnelSpec.model_validate(said)
        except ValidationError as error:
            first = error.errors()[0]
            what = ".".join(map(str, first["loc"]))
            raise Problem(Reason.REQUEST, f"{what}: {first['msg']}", "homeport tunnels add --help") from None
        async with self._alone(spec):
            before = [t for t in self._client.tunnels.values() if t.spec.same_place(spec)]
            had = (before[0].name, before[0].port) if before else (None, None)
            tunnel = self._client.add(spec, *had)
            answered = await self._client.settled(tunnel, AWAY_S)
            away = not self._client.is_up and self._client.problem is not None
            if not answered and not away:  # it is slow, or dialled yet
                answered = await self._client.settled(tunnel, ADD_S - AWAY_S)
            problem = tunnel.problem or self._client.problem
            if tunnel.state is State.REFUSED and problem is not None and problem.reason not in _LATER:
                self._client.remove(tunnel)
                raise problem
            for old in before:  # not closed at the edge: the place is the new one's
                self._client.remove(old)
            self._store()
        if not before and answered:
            await self._client.routed([tunnel])
        return {"tunnel": tunnel.view(), "answered": answered, "problem": problem and problem.as_dict()}

    @contextlib.asynccontextmanager
    async def _alone(self, spec: TunnelSpec) -> AsyncIterator[None]:
        """Let one at a time ask for a place; those for others need not wait until the edge has answered."""
        async with self._added:
            await self._added.wait_for(lambda: not any(map(spec.same_place, self._adding)))
            self._adding.append(spec)
        try:
            yield
        finally:
            self._adding.remove(spec)
            async with self._added:
                self._added.notify_all()

    def _remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """End tunnels by key, address, name, port, target or label."""
        what = str(request.get("what", ""))
        found = [tunnel for tunnel in self._client.tunnels.values() if what in _names(tunnel)]
        if not found and not request.get("missing_ok"):
            raise Problem(
                Reason.REQUEST, f"the daemon has no tunnel {what}", "homeport tunnels list shows them"
            )
        if len(found) > 1 and any(tunnel.spec.label != what for tunnel in found):
            keys = ", ".join(tunnel.key for tunnel in found)
            raise Problem(
                Reason.REQUEST, f"{what} is more than one tunnel", f"name one by its id: {keys}", lasting=True
            )
        for tunnel in found:
            self._client.remove(tunnel)
        self._store()
        return {"removed": [tunnel.view() for tunnel in found]}


def _names(tunnel: Tunnel) -> set[str]:
    known = (
        tunnel.key,
        tunnel.id,
        tunnel.address,
        tunnel.name,
        tunnel.port,
        tunnel.spec.label,
        tunnel.spec.target,
        tunnel.spec.target.removeprefix("localhost"),  # `:3000`, as lists show it
        tunnel.spec.target.removeprefix("localhost:"),
    )
    return {str(item) for item in known if item is not None}


async def serve() -> None:
    """Run this user's daemon. Raises Problem, OSError."""
    raise_descriptors()
    await Daemon(Files.of_user()).serve()
