"""The parts that bin/real-parts has made start and are what they say; left out by name where they are not made."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from parts import environment_of, part
from third_party.catalogue import PARTS

UP_S = 60  # for a server to answer

VERSIONS = {
    "node": ("bin/node", "--version"),
    "tailscale": ("bin/tailscale", "version"),
    "headscale": ("bin/headscale", "version"),
    "docker-compose": ("bin/docker-compose", "version"),
    "frp": ("bin/frps", "--version"),
    "chisel": ("bin/chisel", "--version"),
    "rathole": ("bin/rathole", "--version"),
    "bore": ("bin/bore", "--version"),
    "opencode": ("node_modules/.bin/opencode", "--version"),
    "claude-code": ("node_modules/.bin/claude", "--version"),
    "codex": ("node_modules/.bin/codex", "--version"),
    "gemini": ("node_modules/.bin/gemini", "--version"),
    "qwen": ("node_modules/.bin/qwen", "--version"),
    "portless": ("node_modules/.bin/portless", "--version"),
    "code-server": ("node_modules/.bin/code-server", "--version"),
}
UNVERSIONED = {"headscale"}  # says "dev", for its version comes from a git repository


def environment(name: str, home: Path) -> dict[str, str]:
    return {**environment_of(name), "HOME": str(home), "DISABLE_AUTOUPDATER": "1"}


@pytest.mark.parametrize("name", VERSIONS)
def test_it_says_its_version(name: str, tmp_path: Path) -> None:
    program, word = VERSIONS[name]
    command = [part(name) / program, word]
    said = subprocess.run(
        command,
        env=environment(name, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert name in UNVERSIONED or PARTS[name].version in said.stdout + said.stderr


@pytest.mark.parametrize("name", ["claude-agent-acp", "codex-acp"])
def test_it_speaks_the_agent_client_protocol(name: str, tmp_path: Path) -> None:
    hello = {"protocolVersion": 1, "clientCapabilities": {}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    program = part(name) / PARTS[name].programs[0]
    with subprocess.Popen(
        [program],
        env=environment(name, tmp_path),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(UP_S, process.kill)
        timer.start()
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or "{}")
        finally:
            timer.cancel()
            process.kill()
    assert answer.get("result", {}).get("protocolVersion") == 1, answer


@contextlib.contextmanager
def serving(command: list[str | Path], url: str, env: dict[str, str], log: Path) -> Iterator[bytes]:
    """Run a server in a session of its own until the block ends; the value is its first answer at `url`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env=env,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield first_answer(url, process, log)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(10)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def first_answer(url: str, process: subprocess.Popen[bytes], log: Path) -> bytes:
    end = time.monotonic() + UP_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(url, timeout=5) as answer:
                return bytes(answer.read())
        except (URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"no answer at {url}\n{log.read_text(errors='replace')[-2000:]}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_gitea_serves(tmp_path: Path) -> None:
    gitea, port = part("gitea"), free_port()
    settings = {
        "": {
            "RUN_USER": getpass.getuser(),
            "WORK_PATH": tmp_path,
            "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": str(os.geteuid() == 0).lower(),
        },
        "server": {
            "HTTP_ADDR": "127.0.0.1",
            "HTTP_PORT": port,
            "STATIC_ROOT_PATH": gitea,
            "OFFLINE_MODE": "true",
            "LFS_START_SERVER": "false",
        },
        "database": {"DB_TYPE": "sqlite3", "PATH": tmp_path / "gitea.db"},
        "security": {"INSTALL_LOCK": "true", "SECRET_KEY": "of a test"},
        "cron.update_checker": {"ENABLED": "false"},
    }
    file = tmp_path / "app.ini"
    file.write_text(
        "\n".join(
            line
            for section, values in settings.items()
            for line in (
                f"[{section}]" if section else "",
                *(f"{name} = {value}" for name, value in values.items()),
            )
        )
    )
    command = [gitea / "bin/gitea", "--config", file, "web"]
    url = f"http://127.0.0.1:{port}"
    with serving(command, f"{url}/api/healthz", environment("gitea", tmp_path), tmp_path / "log") as health:
        assert json.loads(health)["status"] == "pass"
        with urlopen(f"{url}/api/v1/version", timeout=10) as answer:
            assert json.load(answer) == {"version": PARTS["gitea"].version}


def test_the_editor_serves(tmp_path: Path) -> None:
    program, port = part("code-server") / PARTS["code-server"].programs[0], free_port()
    command = [part("node") / "bin/node", program, "--bind-addr", f"127.0.0.1:{port}", "--auth", "none"]
    command += ["--disable-telemetry", "--disable-update-check", "--user-data-dir", tmp_path / "data"]
    env = environment("code-server", tmp_path)
    with serving(command, f"http://127.0.0.1:{port}/healthz", env, tmp_path / "log") as health:
        assert json.loads(health)["status"] in {"alive", "expired"}
