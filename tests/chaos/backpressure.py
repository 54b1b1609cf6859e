"""A visitor that does not read holds up its own stream's sender, and nobody else; memory stays where it was."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from .processes import Edge, Peer, edge, memory, peer
from .visitors import BLOCK, visit

MIB: Final = 1 << 20
# A window of a stream at one end, a send buffer at the other, and what allocators keep: far below the payload.
GROWTH_MOST: Final = 40 * MIB
OTHER: Final = 8 * MIB  # bytes that another visitor exchanges meanwhile


async def backpressure(folder: Path, size: int) -> dict[str, Any]:
    """Figures of a download and an upload of `size` bytes that nobody takes for a while."""
    async with edge(folder) as here:
        client = await peer(here, [{"kind": "tcp", "port": here.first}])
        try:
            client.go()
            await client.next("live")
            return await _backpressure(here, client, size)
        finally:
            await client.kill()


async def _backpressure(here: Edge, client: Peer, size: int) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    warm = await visit(here, here.first, 0)
    await warm.exchange(OTHER)  # windows and buffers have their size from now on
    warm.close()
    pids = {"edge": here.pid, "client": client.process.pid}
    before = {who: memory(pid) for who, pid in pids.items()}
    most = dict.fromkeys(pids, 0)

    async def watch() -> None:
        while True:
            for who, pid in pids.items():
                most[who] = max(most[who], memory(pid) - before[who])
            await asyncio.sleep(0.05)

    watcher = asyncio.create_task(watch())
    unread = await visit(here, here.first, 1)
    deaf = await visit(here, here.first, 2)
    try:
        await loop.sock_sendall(unread._sock, b"B" + size.to_bytes(8, "big"))
        await loop.sock_sendall(deaf._sock, b"S")
        pushed = 0

        async def push() -> None:
            nonlocal pushed
            block = bytes(MIB)
            while pushed < size:
                await loop.sock_sendall(deaf._sock, block)
                pushed += len(block)

        pusher = asyncio.create_task(push())
        await asyncio.sleep(1)
        begun = time.monotonic()
        other = await visit(here, here.first, 3)
        await asyncio.wait_for(other.exchange(OTHER), 120)
        took = time.monotonic() - begun
        other.close()
        assert not pusher.done(), "a server that does not read took everything"
        pusher.cancel()
        await asyncio.gather(pusher, return_exceptions=True)
        got, nothing = 0, bytes(BLOCK)
        begun = time.monotonic()
        while data := await asyncio.wait_for(loop.sock_recv(unread._sock, BLOCK), 60):
            assert data == nothing[: len(data)]
            got += len(data)
        read = time.monotonic() - begun
    finally:
        watcher.cancel()
        unread.close()
        deaf.close()
    assert got >= size, f"{got} of {size} bytes came"
    for who, grown in most.items():
        assert grown < GROWTH_MOST, (who, grown)
    return {
        "unread_bytes": size,
        "pushed_to_a_deaf_server_bytes": pushed,
        **{f"{who}_growth_mb": round(grown / 1e6, 1) for who, grown in most.items()},
        "other_stream_mb_s": round(2 * OTHER / 1e6 / took),
        "read_at_last_mb_s": round(got / 1e6 / read),
    }
