"""A small network of namespaces whose wires can be slow, lossy and cut, without a word to either end.

Machines hang on one hub by TUN devices, and this process is the cable: it reads each packet, and delivers it
later, or never. `tc netem` does the same in the kernel, but is a module that not every kernel has.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import random
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TUN: Final = Path("/dev/net/tun")
TUNSETIFF: Final = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET: Final = 0x40000000
MTU: Final = 9000
QUEUE: Final = 2000  # packets on a wire at a time; more are lost, as in any router

_libc = ctypes.CDLL(None, use_errno=True)


def missing() -> str | None:
    """Why this machine cannot have namespaces; None when it can."""
    if os.geteuid():
        return "network namespaces are root's to make"
    if not shutil.which("ip"):
        return "the program ip is not installed (package iproute2)"
    if not TUN.exists():
        return f"there is no {TUN}"
    name = f"hp-try-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"no namespace can be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


@dataclass
class Conditions:
    """Of one wire, both ways alike."""

    delay_s: float = 0.0
    loss: float = 0.0  # share of the packets
    cut: bool = False


class Machine:
    """A namespace with one wire to the hub."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.conditions = Conditions()
        self.lost = 0
        self.on_wire = 0
        self._namespace = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        with self.entered():
            self.device = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.device, TUNSETIFF, struct.pack("16sH22x", b"hub0", IFF_TUN | IFF_NO_PI))

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in this namespace: what is opened meanwhile belongs to it. Do not await in the block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _enter(self._namespace)
        try:
            yield
        finally:
            _enter(home)
            os.close(home)

    def enter(self) -> None:
        """Move there for good: for a process between fork and exec."""
        _enter(self._namespace)

    def socket(self) -> socket.socket:
        """A TCP socket of this machine."""
        with self.entered():
            made = socket.socket()
        made.setblocking(False)
        return made

    def close(self) -> None:
        os.close(self.device)
        os.close(self._namespace)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Network:
    """Machines and the hub between them, in the running loop."""

    def __init__(self, machines: dict[str, Machine], seed: int) -> None:
        self.machines = machines
        self._by_address = {socket.inet_aton(m.address): m for m in machines.values()}
        self._dice = random.Random(seed)
        self._loop = asyncio.get_running_loop()
        for machine in machines.values():
            self._loop.add_reader(machine.device, self._read, machine)

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    def _read(self, source: Machine) -> None:
        for _ in range(64):
            try:
                packet = os.read(source.device, MTU + 64)
            except (BlockingIOError, OSError):
                return
            target = self._by_address.get(packet[16:20]) if packet[:1] == b"\x45" else None
            if target is not None:
                self._carry(packet, source, target)

    def _carry(self, packet: bytes, source: Machine, target: Machine) -> None:
        delay = 0.0
        for end in (source, target):
            conditions = end.conditions
            if (
                conditions.cut
                or end.on_wire >= QUEUE
                or (conditions.loss and self._dice.random() < conditions.loss)
            ):
                end.lost += 1
                return
            delay += conditions.delay_s
        if delay:
            source.on_wire += 1
            self._loop.call_later(delay, self._deliver, packet, source, target)
        else:
            with contextlib.suppress(OSError):
                os.write(target.device, packet)

    def _deliver(self, packet: bytes, source: Machine, target: Machine) -> None:
        source.on_wire -= 1
        if not (source.conditions.cut or target.conditions.cut):
            with contextlib.suppress(OSError):  # its queue is full: lost
                os.write(target.device, packet)

    def close(self) -> None:
        for machine in self.machines.values():
            self._loop.remove_reader(machine.device)


@contextmanager
def network(*names: str, seed: int = 1) -> Iterator[Network]:
    """Machines of these names at 10.99.0.1, .2, …; gone after the block."""
    made: list[str] = []
    machines: dict[str, Machine] = {}
    wires: Network | None = None
    try:
        for number, name in enumerate(names, 1):
            namespace = f"hp{os.getpid()}-{name}"
            _ip("netns", "add", namespace)
            made.append(namespace)
            machine = machines[name] = Machine(namespace, f"10.99.0.{number}")
            for command in (
                "link set lo up",
                f"link set hub0 mtu {MTU} txqueuelen 1000 up",
                f"address add {machine.address}/24 dev hub0",
            ):
                _ip("-n", namespace, *command.split())
        wires = Network(machines, seed)
        yield wires
    finally:
        if wires is not None:
            wires.close()
        for machine in machines.values():
            machine.close()
        for namespace in made:
            _ip("netns", "del", namespace)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
