"""Servers on the command line, with the agent in this process."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOMEPORT = Path(sys.executable).with_name("homeport")


@pytest.fixture
def homeport(running, tmp_path):
    """Run the command line beside the agent: `code, out, err = await homeport("start", "shop")`."""
    config = tmp_path / "agent.toml"
    config.write_text(f'socket_dir = "{running.socket("cli").parent}"\n')

    async def homeport(*arguments, cwd=None):
        environment = {**os.environ, "HOMEPORT_CONFIG": str(config)}
        process = await asyncio.create_subprocess_exec(
            HOMEPORT,
            *arguments,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    return homeport


async def test_a_day_of_a_server(make_repo, api, homeport, ask):
    repo = make_repo()
    await api.repo()
    code, out, err = await homeport("start", "shop")
    assert code == 0, err
    sentence, address = out.splitlines()
    port = int(address.partition("//")[2].partition(".")[0])
    assert sentence == f"shop/web listens on port {port}."
    assert await ask(port) == "hello"
    code, out, _ = await homeport("servers", "shop", "--json")
    assert [each["state"] for each in json.loads(out)["servers"]] == ["listening"]
    assert f"serving on {port}\n" in (await homeport("logs", "shop"))[1]
    assert (await homeport("logs", str(port)))[1] == f"Nobody has opened port {port} yet.\n"
    code, out, _ = await homeport("restart", cwd=repo / ".git")
    assert (code, out.splitlines()[-1]) == (0, address)
    assert (await homeport("stop", "shop/web"))[1] == "shop/web is stopped.\n"
    code, out, _ = await homeport("servers")
    assert "shop/web" in out
    assert "stopped" in out


async def test_failures_have_exit_codes_and_a_next_step(make_repo, api, homeport):
    make_repo("shop", {"Procfile": "web: echo broken; exit 7\n"})
    await api.repo()
    code, out, err = await homeport("start", "shop")
    assert (code, out) == (1, "")
    assert err == "broken\nerror: shop/web has failed: exited with code 7\nfix: homeport logs shop/web\n"
    for arguments in (("start", "nowhere"), ("logs", "nowhere"), ("stop", "shop/db"), ("logs", "shop/db")):
        code, _, err = await homeport(*arguments)
        assert code == 4, (arguments, err)
        assert "does not exist" in err
        assert "\nfix: " in err
    assert (await homeport("start", "shop", "--port", "80"))[0] == 2
    assert (await homeport("logs", "70000"))[0] == 2
