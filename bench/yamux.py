"""How fast the yamux room is, over loopback TCP between two processes, against plain asyncio in the same run.

    python bench/yamux.py [--seconds 1.5] [--loop uvloop|asyncio]

The last line is one JSON object. Rates are in gigabits of payload a second, latencies in microseconds. `up` is
from this process to its peer. Numbers `tls_*` are null where no `openssl` is at hand to make a certificate.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "homeportd" / "src"))

from homeportd.yamux.aio import Session
from homeportd.yamux.errors import YamuxError
from homeportd.yamux.frames import Role
from homeportd.yamux.stream import Stream

BLOCK = bytes(256 * 1024)
MESSAGE = bytes(64)
OPENERS = 64  # streams opened at a time, for the open rate
HOST = "127.0.0.1"


class Counter(asyncio.Protocol):
    """Plain asyncio: counts what comes, echoes messages, or sends; told which by the first byte."""

    def __init__(self) -> None:
        self.count = 0
        self.mode = b""
        self.ended = asyncio.get_running_loop().create_future()
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=256 * 1024)

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def eof_received(self) -> bool:
        self.ended.set_result(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.count += len(data)
        if self.mode == b"client":
            self.messages.put_nowait(data)

    async def send_for(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            self.transport.write(BLOCK)
            await self.may_write.wait()
            await asyncio.sleep(0)


class PlainPeer(Counter):
    """The serving side of the plain measurements."""

    def data_received(self, data: bytes) -> None:
        if not self.mode:
            self.mode, data = data[:1], data[1:]
            if self.mode == b"d":
                self.task = asyncio.create_task(self.source(float(data)))
                return
        self.count += len(data)
        if self.mode == b"e" and data:
            self.transport.write(data)

    def eof_received(self) -> bool:
        if self.mode == b"u":
            self.transport.write(b"%d" % self.count)
        self.transport.write_eof()
        return False

    async def source(self, seconds: float) -> None:
        await self.send_for(seconds)
        self.transport.write_eof()


class Count:
    """A sink that counts."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.count = 0
        self.ended_at = asyncio.get_running_loop().create_future()
        stream.attach(self)

    def received(self, data: bytes) -> None:
        self.count += len(data)
        self.stream.consumed(len(data))

    def finished(self) -> None:
        self.ended_at.set_result(None)

    def drained(self) -> None: ...

    def ended(self, error: YamuxError | None) -> None: ...


async def send_for(stream: Stream, seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        if not stream.write(BLOCK):
            await stream.drain()
        await asyncio.sleep(0)


async def serve_stream(stream: Stream) -> None:
    with contextlib.suppress(YamuxError):
        async with stream:
            command, _, argument = (await stream.readline()).partition(b" ")
            if command == b"up":
                counter = Count(stream)
                stream.write(b"go")
                await counter.ended_at
                stream.write(b"%d" % counter.count)
            elif command == b"down":
                await send_for(stream, float(argument))
            else:
                while data := await stream.read():
                    stream.write(data)


async def serve_session(session: Session) -> None:
    async with asyncio.TaskGroup() as group:
        async for stream in session:
            group.create_task(serve_stream(stream))


async def peer(certificate: str | None) -> None:
    """The other process: listens, says where, and serves until its standard input ends."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def session() -> Session:
        made = Session(Role.SERVER)
        task = asyncio.create_task(serve_session(made))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return made

    ports = {}
    for name, factory in {"plain": PlainPeer, "yamux": session, "tls": session}.items():
        context = None
        if name == "tls":
            if certificate is None:
                continue
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        server = await loop.create_server(factory, HOST, 0, ssl=context)
        ports[name] = server.sockets[0].getsockname()[1]
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


def gigabits(size: int, seconds: float) -> float:
    return round(size * 8 / seconds / 1e9, 2)


async def plain_rates(port: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    transport, up = await loop.create_connection(Counter, HOST, port)
    transport.write(b"u")
    await asyncio.sleep(0.05)
    up.mode = b"client"
    start = time.perf_counter()
    await up.send_for(seconds)
    transport.write_eof()
    await up.ended
    count = int(b"".join([up.messages.get_nowait() for _ in range(up.messages.qsize())]))
    results = {"plain_up": gigabits(count, time.perf_counter() - start)}
    transport.close()

    transport, down = await loop.create_connection(Counter, HOST, port)
    start = time.perf_counter()
    transport.write(b"d%f" % seconds)
    await down.ended
    results["plain_down"] = gigabits(down.count, time.perf_counter() - start)
    transport.close()

    transport, echo = await loop.create_connection(Counter, HOST, port)
    echo.mode = b"client"
    transport.write(b"e")
    await asyncio.sleep(0.05)

    async def once() -> None:
        transport.write(MESSAGE)
        await echo.messages.get()

    results["plain_round_trip_p50"] = await median(once, seconds / 2)
    transport.close()
    return results


async def median(once: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> float:
    times = []
    until = time.perf_counter() + seconds
    while (start := time.perf_counter()) < until:
        await once()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times) * 1e6, 1)


@contextlib.asynccontextmanager
async def connected(port: int, context: ssl.SSLContext | None) -> AsyncIterator[Session]:
    loop = asyncio.get_running_loop()
    _, session = await loop.create_connection(lambda: Session(Role.CLIENT), HOST, port, ssl=context)
    async with session:
        yield session


async def stream_up(session: Session, seconds: float) -> float:
    async with await session.open() as stream:
        stream.write(b"up \n")
        await stream.readexactly(2)
        start = time.perf_counter()
        await send_for(stream, seconds)
        stream.write_eof()
        count = int(b"".join([part async for part in stream]))
        return gigabits(count, time.perf_counter() - start)


async def stream_down(session: Session, seconds: float) -> float:
    async with await session.open() as stream:
        start = time.perf_counter()
        stream.write(b"down %f\n" % seconds)
        counter = Count(stream)
        await counter.ended_at
        return gigabits(counter.count, time.perf_counter() - start)


async def stream_round_trip(session: Session, seconds: float) -> float:
    async with await session.open() as stream:
        stream.write(b"echo \n")

        async def once() -> None:
            stream.write(MESSAGE)
            await stream.readexactly(len(MESSAGE))

        return await median(once, seconds)


async def open_rate(session: Session, seconds: float) -> int:
    """Streams a second, each opened, used for one message and its echo, and closed."""
    opened = 0
    until = time.perf_counter() + seconds

    async def opener() -> None:
        nonlocal opened
        while time.perf_counter() < until:
            async with await session.open() as stream:
                stream.write(b"echo \n" + MESSAGE)
                stream.write_eof()
                await stream.readexactly(len(MESSAGE))
            opened += 1

    await asyncio.gather(*(opener() for _ in range(OPENERS)))
    return int(opened / seconds)


async def measure(ports: dict[str, int], seconds: float) -> dict[str, float | None]:
    results: dict[str, float | None] = dict(await plain_rates(ports["plain"], seconds))
    async with connected(ports["yamux"], None) as session:
        results["up"] = await stream_up(session, seconds)
        results["down"] = await stream_down(session, seconds)
        results["round_trip_p50"] = await stream_round_trip(session, seconds / 2)
        results["opens_per_second"] = await open_rate(session, seconds)
        bulk = asyncio.create_task(stream_up(session, seconds))
        await asyncio.sleep(seconds / 4)
        results["round_trip_beside_bulk_p50"] = await stream_round_trip(session, seconds / 2)
        await bulk
    results["tls_up"] = results["tls_down"] = None
    if "tls" in ports:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        async with connected(ports["tls"], context) as session:
            results["tls_up"] = await stream_up(session, seconds)
            results["tls_down"] = await stream_down(session, seconds)
    for name in ("up", "down"):
        rate, plain = results[name], results[f"plain_{name}"]
        assert rate is not None
        assert plain is not None
        results[f"{name}_ratio_to_plain"] = round(rate / plain, 2)
    return results


def make_certificate(folder: str) -> str | None:
    """A self-signed certificate with its key, in one file."""
    if not (openssl := shutil.which("openssl")):
        return None
    path = Path(folder) / "both.pem"
    key = Path(folder) / "key.pem"
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    path.write_text(path.read_text() + key.read_text())
    return str(path)


def run(main: Coroutine[Any, Any, Any], loop: str) -> Any:
    if loop == "uvloop":
        import uvloop

        return uvloop.run(main)
    return asyncio.run(main)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="of each measurement (default 1.5, about 15 in all)"
    )
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--certificate", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        run(peer(options.certificate), options.loop)
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--peer", "--loop", options.loop]
        if certificate := make_certificate(folder):
            command += ["--certificate", certificate]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                ports = json.loads(process.stdout.readline())
                results = run(measure(ports, options.seconds), options.loop)
            finally:
                process.terminate()
    for name, value in results.items():
        print(f"{name:28} {value}")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
