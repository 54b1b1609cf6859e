"""The daemon: a client in the background, whose tunnels are stored and come back whenever it starts."""

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
from homeportd.tunnels import account, local_workstation, state
from homeportd.tunnels.client import Client
from homeportd.tunnels.control import ControlServer
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.limits import raise_descriptors
from homeportd.tunnels.model import FINAL, State, TunnelSpec
from homeportd.tunnels.state import DaemonFiles, Lock
from homeportd.tunnels.status import AddedTunnel, DaemonStatus
from homeportd.tunnels.tunnel import Tunnel

ADD_S: Final = 15.0  # for the edge to answer a new tunnel; after that the tunnel is kept, and opens later
AWAY_S: Final = 3.0  # the same, where there is no link
FOLLOW_S: Final = 5.0  # between two looks into the agent's settings
SAVE_S: Final = 1.0  # between two writes of the tunnels

_log = logging.getLogger(__name__)
_LATER: Final = frozenset((Reason.UNREACHABLE, Reason.LIMIT))


class Daemon:
    """The daemon of one user. `serve` runs until a `stop` request or a signal."""

    def __init__(self, files: DaemonFiles) -> None:
        self._files = files
        self._client = Client(account.load, rotated=account.replace_token, changed=self._changed)
        self._control = ControlServer(files, self._answer)
        self._stop = asyncio.Event()
        self._dirty = asyncio.Event()
        self._stored: list[dict[str, Any]] = []
        self._unread: list[dict[str, Any]] = []  # tunnels of the file that this release cannot read
        self._started_at = clock.now()
        self._adding: list[TunnelSpec] = []
        self._added = asyncio.Condition()

    async def serve(self) -> None:
        """Serve. Raises TunnelError when another daemon runs, or the stored tunnels cannot be read."""
        self._files.make()
        with Lock(self._files):
            self._restore()
            state.write_process(self._files)
            await self._control.start()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop.set)
            loop.add_signal_handler(signal.SIGHUP, self._client.retry_now)
            tasks = [
                asyncio.create_task(work)
                for work in (self._client.run(), self._save(), self._watchdog(), self._follow_settings())
            ]
            stop = asyncio.create_task(self._stop.wait())
            _log.info("homeport %s, %d tunnels", __version__, len(self._client.tunnels))
            sd_notify.notify("READY=1")
            try:
                done, _ = await asyncio.wait((*tasks, stop), return_when=asyncio.FIRST_COMPLETED)
                for task in done - {stop}:
                    task.result()  # one that has ended has failed
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
        here = local_workstation.read()
        for item in state.load_tunnels(self._files):
            try:
                spec = here.present(TunnelSpec.model_validate(_spec_of(item)))
            except ValidationError as error:
                _log.error("a tunnel in %s is left out: %s", self._files.tunnels, error)
                self._unread.append(item)
                continue
            # The daemon ended while this tunnel replaced another.
            for older in [t for t in self._client.tunnels.values() if t.spec.same_endpoint(spec)]:
                self._client.remove(older)
            tunnel = self._client.add(spec, item.get("name"), item.get("port"))
            ended = item.get("ended")
            if ended in {final.value for final in FINAL}:
                tunnel.enter(
                    State(ended), TunnelError(Reason.ENDED, f"it was {ended}", "homeport tunnels add, again")
                )
        self._stored = self._items()

    def _items(self) -> list[dict[str, Any]]:
        return [
            {
                "spec": tunnel.spec.model_dump(mode="json", exclude_none=True),
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

    async def _follow_settings(self) -> None:
        """Keep the tunnels to this workstation as the agent's settings have it, which bin/site may change."""
        while True:
            tunnels = list(self._client.tunnels.values())
            now, missing = await asyncio.to_thread(local_workstation.follow, [t.spec for t in tunnels])
            for tunnel, spec in zip(tunnels, now, strict=True):
                if spec == tunnel.spec or tunnel.key not in self._client.tunnels:
                    continue
                if spec is None or not tunnel.is_final:
                    self._client.remove(tunnel)  # ahead of the other one, which may have the same name
                if spec is not None and not tunnel.is_final:
                    self._client.add(spec, tunnel.name, tunnel.port)
            if missing is not None:
                try:
                    self._client.add(missing)
                except TunnelError as error:
                    _log.error("this workstation is not at the edge: %s", error.detail)
            await asyncio.sleep(FOLLOW_S)

    async def _watchdog(self) -> None:
        period = sd_notify.watchdog_s()
        while period:
            with contextlib.suppress(OSError):  # no descriptor is free, say: the next will do
                sd_notify.notify("WATCHDOG=1")
            await asyncio.sleep(period)
        await asyncio.Event().wait()

    # Requests of the command line

    async def _answer(self, request: dict[str, Any]) -> object:
        match request.get("do"):
            case "status":
                return self._status()
            case "add":
                return await self._add(_spec_of(request))
            case "remove":
                return self._remove(request)
            case "retry" | "nudge":  # `nudge`: as `wish` in `_spec_of`
                self._client.retry_now()
                return {"ok": True}
            case "stop":
                self._stop.set()
                return {"ok": True}
        raise TunnelError(
            Reason.REQUEST, f"no such request: {request.get('do')!r}", "use homeport of this release"
        )

    def _status(self) -> DaemonStatus:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": clock.to_text(self._started_at),
            **self._client.status(),
        }

    async def _add(self, fields: Any) -> AddedTunnel:
        """Open a tunnel and keep it, unless the edge refuses it: one is kept too when the edge cannot be asked yet."""
        try:
            spec = TunnelSpec.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            what = ".".join(map(str, first["loc"]))
            raise TunnelError(
                Reason.REQUEST, f"{what}: {first['msg']}", "homeport tunnels add --help"
            ) from None
        async with self._exclusively(spec):
            before = [t for t in self._client.tunnels.values() if t.spec.same_endpoint(spec)]
            had = (before[0].name, before[0].port) if before else (None, None)
            tunnel = self._client.add(spec, *had)
            answered = await self._client.answered(tunnel, AWAY_S)
            away = not self._client.is_up and self._client.error is not None
            if not answered and not away:  # a slow edge, or one that is being dialled
                answered = await self._client.answered(tunnel, ADD_S - AWAY_S)
            cause = tunnel.error or self._client.error
            if tunnel.state is State.REFUSED and cause is not None and cause.reason not in _LATER:
                self._client.remove(tunnel)
                raise cause
            for old in before:  # removed here alone: at the edge the new tunnel has replaced it
                self._client.remove(old)
            self._store()
        if not before and answered:
            await self._client.routed([tunnel])
        return {
            "tunnel": tunnel.status(),
            "answered": answered,
            "problem": None if cause is None else cause.as_dict(),
        }

    @contextlib.asynccontextmanager
    async def _exclusively(self, spec: TunnelSpec) -> AsyncIterator[None]:
        """Let one request at a time add a tunnel of the same name, port or target; others go on meanwhile."""
        async with self._added:
            await self._added.wait_for(lambda: not any(map(spec.same_endpoint, self._adding)))
            self._adding.append(spec)
        try:
            yield
        finally:
            self._adding.remove(spec)
            async with self._added:
                self._added.notify_all()

    def _remove(self, request: dict[str, Any]) -> dict[str, Any]:
        """End the tunnels with this key, address, name, port, target or label."""
        what = str(request.get("what", ""))
        found = [tunnel for tunnel in self._client.tunnels.values() if what in _names(tunnel)]
        if not found and not request.get("missing_ok"):
            raise TunnelError(
                Reason.REQUEST, f"the daemon has no tunnel {what}", "homeport tunnels list shows them"
            )
        if len(found) > 1 and any(tunnel.spec.label != what for tunnel in found):
            keys = ", ".join(tunnel.key for tunnel in found)
            raise TunnelError(
                Reason.REQUEST, f"{what} is more than one tunnel", f"name one by its id: {keys}", lasting=True
            )
        for tunnel in found:
            self._client.remove(tunnel)
        self._store()
        return {"removed": [tunnel.status() for tunnel in found]}


def _spec_of(item: dict[str, Any]) -> Any:
    """The fields of a TunnelSpec in a request or a stored tunnel.

    `wish`: the key before December 2026. A file of then is read after an upgrade, and a command line of then may ask
    this daemon; until 0.3.
    """
    return item.get("spec", item.get("wish"))


def _names(tunnel: Tunnel) -> set[str]:
    """The texts by which a person may name a tunnel."""
    known = (
        tunnel.key,
        tunnel.id,
        tunnel.address,
        tunnel.name,
        tunnel.port,
        tunnel.spec.label,
        tunnel.spec.target,
        tunnel.target.netloc,
        tunnel.target.netloc.removeprefix("localhost"),  # `:3000`, as lists show it
        tunnel.target.netloc.removeprefix("localhost:"),
    )
    return {str(item) for item in known if item is not None}


async def serve() -> None:
    """Run the daemon of this process's user. Raises TunnelError, OSError."""
    raise_descriptors()
    await Daemon(DaemonFiles.of_user()).serve()
