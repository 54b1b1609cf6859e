"""A dev server for the HTTP tests: says what it was asked, echoes WebSockets, takes uploads, and streams events, of
which each waits for a request of /next."""

from __future__ import annotations

import asyncio
import hashlib
import json
from contextlib import asynccontextmanager, nullcontext

import uvicorn

_streams: list[asyncio.Event] = []  # of events; each is set when somebody asks for the next one


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"][::-1]})
        return
    if scope["path"] == "/events":
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        asked = asyncio.Event()
        _streams.append(asked)
        for number in range(1000):
            await send({"type": "http.response.body", "body": b"data: %d\n\n" % number, "more_body": True})
            await asked.wait()
            asked.clear()
        return
    if scope["path"] == "/next":
        for stream in _streams:
            stream.set()
    digest, size, more = hashlib.sha256(), 0, True
    while more:
        message = await receive()
        digest.update(message.get("body", b""))
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    body = json.dumps(
        {"path": scope["path"], "headers": headers, "size": size, "sha256": digest.hexdigest()}
    ).encode()
    start = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": start})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving():
    """Serve on a port of loopback; the value is the port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, lifespan="off", log_config=None, ws="websockets-sansio"
    )
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
