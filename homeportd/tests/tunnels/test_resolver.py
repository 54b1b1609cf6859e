"""Names: a program ends at once though no name server answers, and each address of a name is tried."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="makes namespaces")

DIAL = """
    import asyncio, socket, uvloop
    from homeportd.tunnels import dial

    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.9", 53))
            async with asyncio.timeout(0.5):
                await dial.connect("tunnel.example.com", 443)

    try:
        uvloop.run(main())
    except TimeoutError:
        print("given up")
"""

CLIENT = """
    import asyncio, contextlib, uvloop
    from small_edge import Edge
    from homeportd.tunnels.account import Account
    from homeportd.tunnels.client import Client
    from homeportd.tunnels.model import TunnelSpec
    from homeportd.tunnels.protocol import Kind

    @contextlib.asynccontextmanager
    async def visited(kind, target):
        edge = Edge(range(20000, 20010))
        await edge.start()
        account = Account(f"http://127.0.0.1:{edge.port}", "hp_good", links=1)
        client = Client(lambda: account, rotated=lambda old, new: True)
        running = asyncio.create_task(client.run())
        tunnel = client.add(TunnelSpec(kind=kind, target=target))
        assert await client.answered(tunnel, 20)
        yield await edge.visit(tunnel.id)
        running.cancel()
        await asyncio.wait([running])
        await edge.stop()
"""

SILENT = """
    import socket, sys

    async def main():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.9", 53))
            silent.setblocking(False)
            async with visited(Kind(sys.argv[1]), "nas.example.com:2222"):
                await asyncio.get_running_loop().sock_recv(silent, 512)
        print("given up")

    uvloop.run(main())
"""

SECOND = """
    async def echo(reader, writer):
        writer.write(await reader.readexactly(5))
        writer.close()

    async def main():
        async with (
            await asyncio.start_server(echo, "127.0.0.7", 2222),
            visited(Kind.TCP, "nas.example.com:2222") as stream,
        ):
            stream.write(b"hello")
            print((await stream.readexactly(5)).decode())

    uvloop.run(main())
"""


def alone(folder: Path, program: str, *arguments: str) -> str:
    """What a program prints where 127.0.0.9 is the name server and nas.example.com has two addresses in `hosts`."""
    (folder / "resolv.conf").write_text("nameserver 127.0.0.9\noptions timeout:30 attempts:2\n")
    (folder / "program.py").write_text(program)
    script = (
        "ip link set lo up && mount --bind resolv.conf /etc/resolv.conf && mount --bind hosts /etc/hosts"
        f" && exec timeout 30 {sys.executable} program.py {' '.join(arguments)}"
    )
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", script],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("program", "arguments"),
    [((DIAL,), ()), ((CLIENT, SILENT), ("tcp",)), ((CLIENT, SILENT), ("udp",))],
    ids=["edge", "tcp", "udp"],
)
def test_a_silent_name_server_does_not_keep_a_program(tmp_path, program, arguments):
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    assert alone(tmp_path, "".join(map(textwrap.dedent, program)), *arguments) == "given up\n"


def test_each_address_of_a_server_is_tried(tmp_path):
    (tmp_path / "hosts").write_text("127.0.0.8 nas.example.com\n127.0.0.7 nas.example.com\n")
    assert alone(tmp_path, textwrap.dedent(CLIENT) + textwrap.dedent(SECOND)) == "hello\n"
