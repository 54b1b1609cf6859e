"""A client in a process of its own, to be killed: `peer.py JSON`. It connects when it reads `go` on stdin.

It says on stdout, a JSON object a line: `ready` with the port of its echo server, `live` with the monotonic time at
which all its tunnels were; `view` whenever it reads `view`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from typing import Any

import uvloop

from homeportd.tunnels import transport
from homeportd.tunnels.account import Account
from homeportd.tunnels.client import Client
from homeportd.tunnels.limits import raise_descriptors
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.yamux.aio import Session  # noqa: F401 - loaded before the clock runs, as in a daemon


def say(**said: Any) -> None:
    print(json.dumps(said), flush=True)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back what comes; a first byte of `B` asks for zeros without an end instead, `S` is not read on."""
    try:
        first = await reader.read(65536)
        if first[:1] == b"B":
            size, sent, block = int.from_bytes(first[1:9], "big"), 0, bytes(1 << 18)
            while sent < size:
                writer.write(block)
                sent += len(block)
                await writer.drain()
        elif first[:1] == b"S":
            await asyncio.sleep(3600)
        else:
            data = first
            while data:
                writer.write(data)
                await writer.drain()
                data = await reader.read(65536)
        writer.write_eof()
        await reader.read()
    except (OSError, RuntimeError):
        pass
    finally:
        writer.close()


async def live(client: Client) -> None:
    while not all(tunnel.state is State.LIVE for tunnel in client.tunnels.values()):
        await client.negotiation.wait_for_change()
    say(live=time.monotonic())


async def main() -> None:
    wanted = json.loads(sys.argv[1])
    if heartbeat := wanted.get("heartbeat"):
        transport.CONFIG = replace(transport.CONFIG, keepalive_interval=heartbeat)
    raise_descriptors()
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(echo, "127.0.0.1", 0, backlog=4096)
    port = wanted.get("target") or server.sockets[0].getsockname()[1]
    account = Account(wanted["url"], wanted["token"], links=wanted.get("links", 1), ca=wanted.get("ca"))
    client = Client(lambda: account, rotated=lambda _old, _new: True, name=wanted.get("name"))
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    say(ready=port)
    tasks = []
    while line := await commands.readline():
        match line.strip():
            case b"go":
                for spec in wanted["tunnels"]:
                    client.add(TunnelSpec.model_validate({"target": str(port), **spec}))
                tasks = [asyncio.create_task(client.run()), asyncio.create_task(live(client))]
            case b"view":
                say(view={**client.status(), "tasks": len(asyncio.all_tasks())})
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main())
