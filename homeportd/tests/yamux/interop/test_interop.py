"""Against other implementations of yamux, both ways round: hashicorp's in Go, and py-libp2p's.

The Go peer is built where `go` is on the path and its module can be had. py-libp2p is large and is not among the
requirements: `YAMUX_LIBP2P_PYTHON` names a Python that has it, else the one that runs the tests is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from homeportd.yamux.aio import Session
from homeportd.yamux.config import MIB, Config
from homeportd.yamux.errors import StreamReset
from homeportd.yamux.frames import Role

HERE = Path(__file__).parent
STREAMS = 20
SIZE = 700_001  # bytes a stream: more than two initial windows


@pytest.fixture(scope="session")
def hashicorp(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of the Go peer."""
    if not (go := shutil.which("go")):
        pytest.skip("go is not on the path: hashicorp's yamux is not tried")
    program = tmp_path_factory.mktemp("go") / "peer"
    command = [go, "build", "-o", str(program), "."]
    built = subprocess.run(
        command, cwd=HERE / "hashicorp", capture_output=True, text=True, timeout=300, check=False
    )
    if built.returncode and "dial tcp" in built.stderr:
        pytest.skip(f"the Go module cannot be had: {built.stderr[-300:]}")
    assert built.returncode == 0, built.stderr
    return [str(program)]


@pytest.fixture(scope="session")
def libp2p() -> list[str]:
    """The command of the py-libp2p peer."""
    python = os.environ.get("YAMUX_LIBP2P_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import libp2p"], capture_output=True, check=False).returncode:
        pytest.skip("py-libp2p is not installed, and YAMUX_LIBP2P_PYTHON names no Python that has it")
    return [python, str(HERE / "libp2p_peer.py")]


async def echo(stream):
    with contextlib.suppress(StreamReset):
        async with stream:
            async for part in stream:
                stream.write(part)
                await stream.drain()


async def ask(session, number):
    async with await session.open() as stream:
        payload = bytes([number]) * SIZE

        async def send():
            for start in range(0, SIZE, 100_000):
                stream.write(payload[start : start + 100_000])
                await stream.drain()
            stream.write_eof()

        sending = asyncio.create_task(send())
        assert b"".join([part async for part in stream]) == payload
        await sending


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("window", [Config(), Config(receive_window=4 * MIB)], ids=["plain", "large"])
@pytest.mark.parametrize("peer", ["hashicorp", "libp2p"])
async def test_both_ways(request, peer, window, role):
    command = request.getfixturevalue(peer)
    connected = asyncio.get_running_loop().create_future()

    def accept():
        session = Session(role, window)
        connected.set_result(session)
        return session

    server = await asyncio.get_running_loop().create_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = f"127.0.0.1:{port}" if peer == "hashicorp" else str(port)
    theirs = "server" if role is Role.CLIENT else "client"
    process = await asyncio.create_subprocess_exec(
        *command, address, theirs, str(STREAMS), str(SIZE), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            session = await connected
            async with asyncio.TaskGroup() as group:

                async def serve():
                    async for stream in session:
                        group.create_task(echo(stream))

                group.create_task(serve())
                assert await session.ping() > 0
                await asyncio.gather(*(ask(session, number) for number in range(STREAMS)))
                reset = await session.open()
                reset.write(b"never mind")
                await asyncio.sleep(0)  # else both leave as nothing
                reset.reset()
                said = await process.stdout.readline()
                assert said == b"done\n", (await process.stderr.read()).decode()
                async with asyncio.timeout(30):
                    while session.streams:  # noqa: ASYNC110  nothing tells
                        await asyncio.sleep(0.01)
                assert session.error is None
                await session.close()
            _, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
    finally:
        server.close()
        if process.returncode is None:
            process.kill()
            await process.communicate()
