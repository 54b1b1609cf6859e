"""A peer for the interoperability test, with py-libp2p's yamux (and trio): see hashicorp/main.go, it does the same.

python libp2p_peer.py PORT client|server STREAMS SIZE
"""

from __future__ import annotations

import sys

import trio
from libp2p.peer.id import ID
from libp2p.stream_muxer.exceptions import MuxedConnUnavailable, MuxedStreamEOF, MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import Yamux


class Connection:
    """A TCP connection with the three methods that the multiplexer calls."""

    def __init__(self, stream: trio.SocketStream, is_initiator: bool) -> None:
        self.stream = stream
        self.is_initiator = is_initiator

    async def write(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def read(self, size: int | None = None) -> bytes:
        return bytes(await self.stream.receive_some(size))

    async def close(self) -> None:
        await self.stream.aclose()

    def get_remote_address(self) -> None:
        return None


async def echo(stream) -> None:
    try:
        while data := await stream.read(65536):
            await stream.write(data)
    except MuxedStreamEOF:
        await stream.close()
    except MuxedStreamError:
        pass  # the other side resets some on purpose


async def ask(session: Yamux, number: int, size: int) -> None:
    stream = await session.open_stream()
    payload = bytes([number]) * size
    answer = b""

    async def send() -> None:
        await stream.write(payload)
        await stream.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        try:
            while data := await stream.read(65536):
                answer += data
        except MuxedStreamEOF:
            pass
    assert answer == payload, f"stream {number}: {len(answer)} bytes came back of {size}"


async def main(port: int, role: str, streams: int, size: int) -> None:
    tcp = await trio.open_tcp_stream("127.0.0.1", port)
    initiator = role == "client"
    session = Yamux(Connection(tcp, initiator), ID(b"peer"), is_initiator=initiator)

    async def own() -> None:
        async with trio.open_nursery() as nursery:
            for number in range(streams):
                nursery.start_soon(ask, session, number, size)
        print("done", flush=True)  # noqa: T201  the test waits for it

    async with trio.open_nursery() as nursery:
        nursery.start_soon(session.start)
        await session.event_started.wait()
        nursery.start_soon(own)
        try:
            while True:
                nursery.start_soon(echo, await session.accept_stream())
        except MuxedConnUnavailable:
            nursery.cancel_scope.cancel()


trio.run(main, int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
