"""TCP tunnels, end to end over real sockets."""

from __future__ import annotations

import asyncio
import hashlib
import os

from edge_helper import echo_server, to_port


async def test_bytes_go_through_and_back_with_the_half_close(connect):
    async with echo_server() as server:
        link = await connect(to_port(server))
        opened = await link.open("tcp")
        assert 42000 <= opened.port <= 42999
        assert opened.address == f"localhost:{opened.port}"
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)
        payload = os.urandom(8 * 1024 * 1024)

        async def send():
            writer.write(payload)
            await writer.drain()
            writer.write_eof()

        task = asyncio.create_task(send())
        received = await reader.read(-1)
        await task
        writer.close()
        assert hashlib.sha256(received).digest() == hashlib.sha256(payload).digest()
