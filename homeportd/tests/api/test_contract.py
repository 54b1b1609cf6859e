"""The API against its own description, by a fuzzer that reads it: real agent, real Caddy, a token."""

import http.client
import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ..machine import machine


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A machine, and a token of it."""
    folder = tmp_path_factory.mktemp("m")
    with machine(folder) as made, closing(http.client.HTTPConnection("agent")) as connection:
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(folder / "cli.sock"))
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/tokens", json.dumps({"name": "fuzzer"}), headers)
        yield made, json.loads(connection.getresponse().read())["token"]


@pytest.mark.slow
def test_a_fuzzer_finds_nothing(whole, tmp_path):
    made, token = whole
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"http://localhost:{made.front}/api/openapi.json",
        f"--header=Authorization: Bearer {token}",
        "--seed=20261121",
        "--max-examples=30",
        "--no-color",
    ]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout
    assert "generated" in result.stdout, "it must have made requests"
    log = (made.folder / "agent.log").read_text()
    assert "Traceback" not in log, log
