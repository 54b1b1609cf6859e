"""A dev server that tells what it was sent, byte by byte, and serves what a gateway may get wrong."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import sys
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass
class Request:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body_bytes: int
    body_sha: str

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def asked_headers(self) -> str:
        """The lines that the request wants in the head of its answer: `?header=Name: value`, any number of them."""
        asked = parse_qs(urlsplit(self.target).query).get("header", [])
        return "".join(f"{line}\r\n" for line in asked)

    def value(self, name: str) -> str | None:
        """The one value of a header; an error when there are more."""
        values = self.values(name)
        assert len(values) <= 1, values
        return values[0] if values else None


@dataclass
class DevServer:
    """Listens on loopback; `requests` has every request whose body was read."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    streams: int = 0  # endless answers being given now
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def streams_become(self, number: int) -> None:
        """Wait until so many endless answers are being given; an error after half a minute."""
        async with asyncio.timeout(30):
            while self.streams != number:  # noqa: ASYNC110 - a count, not an event
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._one(reader, writer):
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the visitor has left, or the test is over
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head[:-4].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in lines]
        fields = {name.lower(): value for name, value in headers}
        if fields.get("expect") == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size, sha = await _read_body(reader, fields)
        request = Request(method, target, headers, size, sha)
        self.requests.append(request)
        path = target.partition("?")[0]
        if path == "/echo-raw" and fields.get("upgrade"):
            head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n"
            writer.write(f"{head}{request.asked_headers}\r\n".encode())
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
            return False
        streams = {
            "/events": "text/event-stream",
            "/mjpeg": "multipart/x-mixed-replace; boundary=x",
            "/endless": target.partition("?")[2],
        }
        if path in streams:
            await self._stream(writer, streams[path], request.asked_headers)
            return False
        if path == "/drip":
            await self._drip(writer)
            return True
        if path == "/hang-up":
            return False
        answer = self._answer(request, path)
        writer.write(answer)
        return fields.get("connection", "").lower() != "close"

    def _answer(self, request: Request, path: str) -> bytes:
        body = json.dumps(
            {
                "method": request.method,
                "target": request.target,
                "headers": request.headers,
                "bytes": request.body_bytes,
                "sha": request.body_sha,
            }
        ).encode()
        status, extra = "200 OK", request.asked_headers
        if path == "/redirect":
            status, extra = "302 Found", f"Location: {request.target.partition('?to=')[2]}\r\n"
        elif path == "/cookies":
            extra = "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nService-Worker-Allowed: /\r\n"
        if request.method == "HEAD":
            return f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: 12345\r\n{extra}\r\n".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        return head.encode() + body

    async def _stream(self, writer: asyncio.StreamWriter, kind: str, more: str = "") -> None:
        self.streams += 1
        try:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n{more}\r\n"
            writer.write(head.encode())
            for number in range(10_000):
                writer.write(f"data: {number}\n\n".encode())
                await writer.drain()
                await asyncio.sleep(0.05)
        finally:
            self.streams -= 1

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        """A chunked answer that comes in parts, as server rendering does; the second when the first was heard."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (b"first", b"second"):
            writer.write(b"%x\r\n%b\r\n" % (len(part), part))
            await writer.drain()
            await self.heard.wait()
        writer.write(b"0\r\n\r\n")


async def _read_body(reader: asyncio.StreamReader, fields: dict[str, str]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    if fields.get("transfer-encoding") == "chunked":
        while length := int((await reader.readline()).split(b";")[0], 16):
            digest.update(await reader.readexactly(length))
            size += length
            await reader.readline()
        await reader.readline()
    left = int(fields.get("content-length", "0"))
    while left:
        piece = await reader.read(min(left, 1 << 20))
        if not piece:
            raise ConnectionResetError
        digest.update(piece)
        size += len(piece)
        left -= len(piece)
    return size, digest.hexdigest()


async def _main(port: int) -> None:
    server = DevServer()
    await server.start(port=port)
    await asyncio.Event().wait()


if __name__ == "__main__":  # a process of its own, whose folder is its repo
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(int(sys.argv[1])))
