"""A program ends at once though no name server answers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap

import pytest

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


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("unshare"), reason="makes namespaces")
def test_a_silent_name_server_does_not_keep_a_program(tmp_path):
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.9\noptions timeout:30 attempts:2\n")
    (tmp_path / "dial.py").write_text(textwrap.dedent(DIAL))
    script = (
        "ip link set lo up && mount --bind resolv.conf /etc/resolv.conf"
        f" && exec timeout 30 {sys.executable} dial.py"
    )
    command = ["unshare", "--net", "--mount", "sh", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.returncode) == ("given up\n", 0), done.stderr
