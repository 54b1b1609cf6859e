"""Requests of every kind pass as they are: methods, bodies, ranges, parts of answers, real servers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sys

import psutil
import pytest

from .. import caddyfile
from ..freeports import free_port
from ..installation import program

SMALL = b"x" * 1000


async def test_a_head_that_never_ends_is_given_up(tmp_path):
    port = free_port()
    file = caddyfile.write(tmp_path, port, tmp_path)
    text = file.read_text()
    assert "read_header 10s" in text
    file.write_text(text.replace("read_header 10s", "read_header 500ms"))
    command = (program("caddy"), "run", "--config", str(file), "--adapter", "caddyfile")
    caddy = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except ConnectionError:
                    await asyncio.sleep(0.05)
            writer.write(b"GET / HTTP/1.1\r\n")
            with contextlib.suppress(ConnectionError):
                while not reader.at_eof():
                    writer.write(b"X: y\r\n")
                    await asyncio.sleep(0.1)
            writer.close()
    finally:
        caddy.terminate()
        await caddy.wait()


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream"])
async def test_methods_and_bodies_arrive(gateway, dev, method, accept):
    await gateway.share(dev.port)
    answer = await gateway.ask(method, dev.port, "/x", content=SMALL, headers={"Accept": accept})
    assert answer.status_code == 200
    assert (answer.json()["method"], answer.json()["sha"]) == (method, hashlib.sha256(SMALL).hexdigest())


async def test_head_has_its_headers_and_no_body(gateway, dev):
    await gateway.share(dev.port)
    answer = await gateway.ask("HEAD", dev.port, "/x")
    assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "12345", b"")


async def test_chunked_bodies_arrive(gateway, dev):
    await gateway.share(dev.port)

    async def parts():
        for _ in range(50):
            yield SMALL

    answer = await gateway.ask("POST", dev.port, "/x", content=parts())
    assert answer.json()["sha"] == hashlib.sha256(SMALL * 50).hexdigest()


async def test_a_body_that_waits_for_permission(gateway, dev):
    await gateway.share(dev.port)
    for accept in ("*/*", "text/html"):
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
        writer.write(
            f"POST /x HTTP/1.1\r\nHost: {gateway.host(dev.port)}\r\nAccept: {accept}\r\nExpect: 100-continue\r\n"
            "Content-Length: 1000\r\nConnection: close\r\n\r\n".encode()
        )
        assert (await reader.readline()).startswith(b"HTTP/1.1 100")
        writer.write(SMALL)
        rest = await reader.read()
        assert b"HTTP/1.1 200" in rest
        assert hashlib.sha256(SMALL).hexdigest().encode() in rest
        writer.close()
        await writer.wait_closed()


async def test_an_answer_in_parts_is_not_held_back(gateway, dev):
    await gateway.share(dev.port)
    headers = {"Host": gateway.host(dev.port)}
    parts = []
    async with gateway.client.stream("GET", gateway.base + "/drip", headers=headers) as answer:
        async for part in answer.aiter_raw():
            parts.append(part)
            dev.heard.set()
    assert parts == [b"first", b"second"]


async def test_a_plain_python_server_with_folders(tmp_path, make_gateway, vacant):
    (tmp_path / "site/sub").mkdir(parents=True)
    (tmp_path / "site/file.bin").write_bytes(bytes(range(256)) * 10)
    port = vacant
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path / "site"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with make_gateway(tmp_path / "gateway") as gateway:
            await gateway.listening(port)
            await gateway.share(port)
            answer = await gateway.get(port, "/file.bin")
            assert answer.content == bytes(range(256)) * 10
            assert "file.bin" in (await gateway.get(port, "/")).text
            answer = await gateway.get(port, "/sub")
            assert (answer.status_code, answer.headers["location"]) == (301, "/sub/")
            dated = {"If-Modified-Since": (await gateway.get(port, "/file.bin")).headers["last-modified"]}
            assert (await gateway.get(port, "/file.bin", headers=dated)).status_code == 304
    finally:
        server.terminate()
        await server.wait()


async def test_ranges_are_left_alone(gateway, dev):
    await gateway.share(dev.port)
    headers = {"Range": "bytes=0-9", "If-Range": '"x"', "Accept-Encoding": "identity;q=0.5", "TE": "trailers"}
    sent = {
        name.lower(): value
        for name, value in (await gateway.get(dev.port, "/x", headers=headers)).json()["headers"]
    }
    assert (sent["range"], sent["if-range"], sent["accept-encoding"]) == (
        "bytes=0-9",
        '"x"',
        "identity;q=0.5",
    )
    sent = dict((await gateway.get(dev.port, "/x", headers={"Accept-Encoding": ""})).json()["headers"])
    assert "gzip" not in str(sent)


async def test_a_server_on_ipv6_alone(tmp_path, make_gateway, dev_on_ipv6):
    async with make_gateway(tmp_path) as gateway:
        await gateway.share(dev_on_ipv6.port)
        for accept in ("*/*", "text/event-stream"):
            answer = await gateway.get(dev_on_ipv6.port, "/x", headers={"Accept": accept})
            assert answer.status_code == 200


async def test_large_headers_are_refused_and_ordinary_ones_are_not(gateway, dev):
    await gateway.share(dev.port)
    assert (await gateway.get(dev.port, headers={"Cookie": "a=" + "x" * 16_000})).status_code == 200
    assert (await gateway.get(dev.port, headers={"X-Large": "x" * 69_800})).status_code == 431


@pytest.mark.slow
async def test_an_upload_of_a_gigabyte_passes_without_being_kept(gateway, dev):
    await gateway.share(dev.port)
    size, piece = 1 << 30, os.urandom(1 << 20)
    agent, caddy = psutil.Process(), psutil.Process(gateway.caddy.pid)
    before = (agent.memory_info().rss, caddy.memory_info().rss)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.number)
    writer.write(
        f"PUT /big HTTP/1.1\r\nHost: {gateway.host(dev.port)}\r\nContent-Length: {size}\r\n\r\n".encode()
    )
    for _ in range(size // len(piece)):
        writer.write(piece)
        await writer.drain()
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    assert dev.requests[-1].body_bytes == size
    assert agent.memory_info().rss - before[0] < 40 << 20
    assert caddy.memory_info().rss - before[1] < 60 << 20
