"""Clients are killed and networks cut, again and again: the name is back at once, no byte is wrong, nothing leaks."""

from __future__ import annotations

import asyncio
import random
import signal
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any, Final, NamedTuple

from . import net
from .processes import Edge, Peer, descriptors, edge, memory, peer, until
from .visitors import reaches, visit

PORT: Final = 20_100
NAME: Final = "chaos"
TUNNELS: Final = [{"kind": "tcp", "port": PORT}, {"kind": "http", "name": NAME}]
# How the client that has the name goes, if it goes at all before the next one comes.
ENDS: Final = ("kill", "cut", "alive", "end", "cut and back")
CONDITIONS: Final = (net.Conditions(), net.Conditions(delay_s=0.01), net.Conditions(delay_s=0.01, loss=0.02))
TAKEN_S: Final = 1.0  # in which a new client has the name, where no packet is lost
STREAMS: Final = 4  # visitors that exchange bytes when it happens
SETTLED_S: Final = 30.0  # links that were cut in silence are given up when two heartbeats were missed
GROWTH_MOST: Final = 8 << 20  # bytes by which the edge may grow in the second half of the rounds
SPARE: Final = 3  # objects of a kind that come and go by themselves


class _Count(NamedTuple):
    """What the edge holds."""

    files: Counter[str]
    tasks: Counter[str]
    objects: Counter[str]
    memory: int


class _Visitors:
    """Visitors that exchange bytes all the time, until their streams are cut."""

    def __init__(self, edge: Edge, machine: net.Machine, dice: random.Random) -> None:
        self.bytes = self.cut = 0
        self._tasks = [
            asyncio.create_task(self._visit(edge, machine, dice.getrandbits(32))) for _ in range(STREAMS)
        ]

    async def _visit(self, edge: Edge, machine: net.Machine, seed: int) -> None:
        try:
            visitor = await visit(edge, PORT, seed, machine)
        except OSError:
            return
        try:
            while True:
                await visitor.exchange(200_000)
        except OSError:
            self.cut += 1
        finally:
            self.bytes += visitor.echoed
            visitor.close()

    async def end(self) -> None:
        """Raises Corrupt when one got a wrong byte."""
        for task in self._tasks:
            task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def takeovers(folder: Path, rounds: int, seed: int = 1, *, slack: float = 0) -> dict[str, Any]:
    """Figures of so many rounds; raises AssertionError when a promise is broken.

    `slack`: seconds by which a machine with other work may be late.
    """
    dice = random.Random(seed)
    with net.network("edge", "a", "b", "visitor", seed=seed) as wires:
        async with edge(folder, wires["edge"]) as here:
            run = _Run(here, wires, dice, slack)
            try:
                return await run.all(rounds)
            finally:
                await run.close()


class _Run:
    def __init__(self, here: Edge, wires: net.Network, dice: random.Random, slack: float) -> None:
        self.edge = here
        self.slack = slack
        self.wires = wires
        self.dice = dice
        self.took: dict[str, list[float]] = {}
        self.streams = self.bytes = self.cut = 0
        self.peers: list[Peer] = []
        self.number = 0

    async def new_peer(self, where: str) -> Peer:
        self.number += 1
        made = await peer(self.edge, TUNNELS, self.wires[where], name=f"n{self.number}", links=2)
        self.peers.append(made)
        return made

    async def all(self, rounds: int) -> dict[str, Any]:
        visitors = self.wires["visitor"]
        holder, where, other = await self.new_peer("a"), "a", "b"
        holder.go()
        await holder.next("live")
        await reaches(self.edge, PORT, 1, visitors, 60)
        await until(self._whole, 60)
        await asyncio.sleep(1)
        before = await self._count()
        half = before.memory
        for number in range(rounds):
            how = ENDS[number % len(ENDS)]
            conditions = CONDITIONS[number // len(ENDS) % len(CONDITIONS)]
            holder = await self._round(holder, where, other, how, conditions)
            where, other = other, where
            if number == rounds // 2:
                half = memory(self.edge.pid)
        self.wires[where].conditions = net.Conditions()
        assert (await self._status())["client"] == holder.name
        after = await self._settled(before)
        assert after.memory - half < GROWTH_MOST, (before.memory, half, after.memory)
        every = [value for values in self.took.values() for value in values]
        dry = [v for key, values in self.took.items() if "loss" not in key for v in values]
        return {
            "rounds": rounds,
            "takeover_p50_s": round(statistics.median(every), 3),
            "takeover_max_s": round(max(dry), 3),
            "takeover_max_with_loss_s": round(max(every), 3),
            "takeover_p50_by_kind_s": {k: round(statistics.median(v), 3) for k, v in self.took.items()},
            "names_lost": 0,
            "streams_verified": self.streams,
            "streams_cut": self.cut,
            "streams_corrupt": 0,
            "bytes_verified": self.bytes,
            "packets_lost": sum(machine.lost for machine in self.wires.machines.values()),
            "leaked_descriptors": max(0, after.files.total() - before.files.total()),
            "leaked_tasks": max(0, after.tasks.total() - before.tasks.total()),
            "edge_rss_growth_bytes": after.memory - before.memory,
            "edge_rss_growth_of_second_half_bytes": after.memory - half,
        }

    async def _round(
        self, holder: Peer, where: str, other: str, how: str, conditions: net.Conditions
    ) -> Peer:
        """The holder goes as `how` says; a new client on the other machine has its name at once."""
        visitors = self.wires["visitor"]
        newer = await self.new_peer(other)
        for machine in (where, other):
            self.wires[machine].conditions = net.Conditions(conditions.delay_s, conditions.loss)
        crowd = _Visitors(self.edge, visitors, self.dice)
        await asyncio.sleep(self.dice.uniform(0.05, 0.3))
        if how == "kill":
            await holder.kill()
        elif how == "end":
            await holder.kill(signal.SIGTERM)
        elif how.startswith("cut"):
            self.wires[where].conditions.cut = True
        begun = newer.go()
        reached = await reaches(self.edge, PORT, self.dice.getrandbits(32), visitors, 30)
        while (shown := await self._status())["client"] != newer.name:
            assert how != "kill", shown  # until then the older one answered
            assert time.monotonic() - begun < 30 + self.slack, shown
            reached = await reaches(self.edge, PORT, self.dice.getrandbits(32), visitors, 30)
        took = reached - begun
        if not conditions.loss:
            assert took < TAKEN_S + self.slack, f"{how}: {took:.3f} s"
        kind = "loss" if conditions.loss else "delay" if conditions.delay_s else "clear"
        self.took.setdefault(f"{how}, {kind}", []).append(took)
        assert shown["state"] == "live", shown
        assert shown["last_byte_at"] is not None, shown
        check = await visit(self.edge, PORT, self.dice.getrandbits(32), visitors)
        await asyncio.wait_for(check.exchange(256 * 1024), 30)
        check.close()
        await crowd.end()
        self.streams += STREAMS + 2
        self.bytes += crowd.bytes + check.echoed
        self.cut += crowd.cut
        if how == "cut and back":  # it must not fight for the name
            self.wires[where].conditions.cut = False
            await until(lambda: self._overcome(holder), 15 + self.slack, lambda: f"{holder.name} fights on")
            assert (await self._status())["client"] == newer.name
        await holder.kill()  # where it was cut, the edge hears nothing of that
        self.peers.remove(holder)
        return newer

    @staticmethod
    async def _overcome(holder: Peer) -> bool:
        states = {tunnel["state"] for tunnel in (await holder.view())["tunnels"]}
        return states == {"taken-over"}

    async def _status(self) -> dict[str, Any]:
        return await self.edge.tunnel(PORT)

    async def _whole(self) -> bool:
        return bool((await self._status())["links"] == 2)

    async def _count(self) -> _Count:
        census = await self.edge.census()
        return _Count(
            descriptors(self.edge.pid),
            Counter(census["tasks"]),
            Counter(census["objects"]),
            memory(self.edge.pid),
        )

    async def _settled(self, before: _Count) -> _Count:
        end = time.monotonic() + SETTLED_S + self.slack
        while True:
            after = await self._count()
            if after.files.total() <= before.files.total() and after.tasks.total() <= before.tasks.total():
                break
            if time.monotonic() > end:
                raise AssertionError(
                    f"left behind: {after.files - before.files}, {after.tasks - before.tasks}, "
                    f"{after.objects - before.objects}"
                )
            await asyncio.sleep(0.5)
        # A link holds a few objects; each round made two of them, and some streams.
        leaked = {kind: count for kind, count in (after.objects - before.objects).items() if count > SPARE}
        assert not leaked, leaked
        return after

    async def close(self) -> None:
        for each in self.peers:
            await each.kill()
