"""The command line's shapes of API answers against the agent's own description of its API."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest

import homeportd.cli
from homeportd.cli.api_types import ANSWERS

START_S = 60
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}
SETTINGS = """\
origin = "http://{{port}}.localhost:8080"
port_ranges = ["3000-3001"]
repo_root = "{folder}/repos"
data_dir = "{folder}/data"
socket_dir = "{folder}"

[edge]
url = "http://{{name}}.tunnel.localhost:8081"
host = "localhost"
listen = "127.0.0.1:{port}"
routes_dir = "{folder}/routes"
"""


@pytest.fixture(scope="module")
def description(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The OpenAPI document of an agent that is a workstation and an edge."""
    folder = tmp_path_factory.mktemp("a")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    config, log = folder / "agent.toml", folder / "agent.log"
    config.write_text(SETTINGS.format(folder=folder, port=port))
    command = [str(Path(sys.executable).with_name("homeportd")), "serve", "--config", str(config)]
    with log.open("wb") as output:
        agent = subprocess.Popen([*command, *(["--allow-root"] if os.geteuid() == 0 else [])], stderr=output)
    try:
        yield _read(folder / "cli.sock", agent, log)
    finally:
        agent.terminate()
        agent.wait()


def _read(path: Path, agent: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + START_S
    while True:
        connection = HTTPConnection("agent", timeout=START_S)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(str(path))
            connection.request("GET", "/api/openapi.json")
            found: dict[str, Any] = json.loads(connection.getresponse().read())
            return found
        except (FileNotFoundError, ConnectionRefusedError):
            assert agent.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        finally:
            connection.close()


def mismatches(shape: Any, schema: dict[str, Any], document: dict[str, Any], where: str) -> list[str]:
    """Where `schema` is not what `shape` says: a field that may be missing, another type, a value or null more or less.

    The schema may have fields that the shape has not.
    """
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if is_typeddict(shape):
        return [
            mismatch
            for name, hint in get_type_hints(shape).items()
            for mismatch in (
                mismatches(hint, schema["properties"][name], document, f"{where}.{name}")
                if name in schema.get("properties", {}) and name in schema.get("required", [])
                else [f"{where}.{name} is not always there"]
            )
        ]
    if get_origin(shape) is list and schema.get("type") == "array":
        return mismatches(get_args(shape)[0], schema["items"], document, f"{where}[]")
    options = get_args(shape) if get_origin(shape) in (Union, types.UnionType) else (shape,)
    choices = schema.get("anyOf", [schema])
    if len(options) > 1 or len(choices) > 1:
        fits = [[not mismatches(option, choice, document, where) for option in options] for choice in choices]
        same = all(map(any, fits)) and all(any(column) for column in zip(*fits, strict=True))
    elif get_origin(shape) is Literal:
        same = set(schema.get("enum", [schema.get("const")])) == set(get_args(shape))
    else:
        same = PLAIN.get(shape) == schema.get("type")
    return [] if same else [f"{where}: {json.dumps(schema)[:300]} is not {shape}"]


def answers(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """The schema of the good answer to each request; paths with the names of their parameters left out."""
    found = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status.startswith("2"):
                    content = response.get("content", {}).get("application/json", {})
                    found[method, nameless(path)] = content.get("schema", {})
    return found


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


@pytest.mark.parametrize("request_", ANSWERS, ids=" ".join)
def test_each_field_is_in_the_agents_description(
    description: dict[str, Any], request_: tuple[str, str]
) -> None:
    method, path = request_
    schema = answers(description)[method, nameless(path)]  # KeyError: the agent has no such address

    if ANSWERS[request_] is not None:
        assert mismatches(ANSWERS[request_], schema, description, path) == []


def test_a_field_that_is_renamed_or_of_another_type_is_noticed(description: dict[str, Any]) -> None:
    shape, schema = ANSWERS["get", "/api/ports"], answers(description)["get", "/api/ports"]
    port = description["components"]["schemas"]["PortView"]
    renamed = port["properties"] | {"port": {"type": "string"}, "pid": {"type": "integer"}}
    del renamed["listening"]
    schemas = description["components"]["schemas"] | {"PortView": port | {"properties": renamed}}

    found = mismatches(shape, schema, {"components": {"schemas": schemas}}, "ports")

    assert [text.partition(":")[0].partition(" ")[0] for text in found] == [
        "ports[].port",
        "ports[].listening",
        "ports[].pid",
    ]


def test_each_request_of_the_command_line_is_checked() -> None:
    """Every path that a module of the command line writes after a method of `Agent`."""
    asked = set()
    for file in Path(homeportd.cli.__file__).parent.rglob("*.py"):
        for method, path in re.findall(r'\.(get|post|put|delete)\(\s*f?"(/[^"?]*)', file.read_text()):
            asked.add((method, nameless("/api" + path)))
    assert asked <= {(method, nameless(path)) for method, path in ANSWERS}
    assert len(asked) > 15
