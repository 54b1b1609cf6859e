from __future__ import annotations

import json
import os
import pwd
import socket
from pathlib import Path

import pytest

from homeportd import settings
from homeportd.cli.clients import agent_client, installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.installation import Installation
from homeportd.cli.errors import NOT_FOUND, REFUSED, UNREACHABLE, Failure

from .canned import canned


def failure(folder: Path, path: str = "/ports", timeout: float = 60.0) -> Failure:
    with (
        pytest.raises(Failure) as caught,
        Agent(Installation(folder / "agent.toml", folder), timeout) as agent,
    ):
        agent.get(path)
    return caught.value


def test_an_agent_that_does_not_run(folder) -> None:
    found = failure(folder)

    assert found.code == UNREACHABLE
    assert found.detail == f"the agent does not run: nobody answers at {folder}/cli.sock"
    assert "bin/site" in found.fix


def test_an_agent_that_died_and_left_its_socket(folder) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "cli.sock"))
        found = failure(folder)

    assert (found.code, "does not run" in found.detail) == (UNREACHABLE, True)


def test_an_agent_that_says_nothing(folder) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(folder / "cli.sock"))
        silent.listen()
        found = failure(folder, timeout=0.1)

    assert (found.code, found.detail) == (UNREACHABLE, "the agent did not answer within 0.1 s")


def test_an_agent_of_another_user(folder) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "cli.sock"))
        listener.listen()
        (folder / "cli.sock").chmod(0o000)
        before = os.geteuid()
        if before == 0:  # modes do not bind root
            os.seteuid(65534)
        try:
            found = failure(folder)
        finally:
            os.seteuid(before)

    assert found.code == UNREACHABLE
    owner = pwd.getpwuid(before).pw_name
    assert found.detail.startswith(f"Homeport on this machine serves {owner} and root; you are ")
    assert found.fix.startswith(f"ask {owner} for what you need; ")
    assert f"sudo -u {owner} homeport" in found.fix


def test_the_agents_own_words_are_passed_on(folder) -> None:
    problem = {"title": "Unprocessable", "status": 422, "detail": "the past is over", "fix": "write 24h"}
    with canned(folder, {"/api/ports": (422, json.dumps(problem).encode())}):
        found = failure(folder)

    assert (found.code, found.detail, found.fix) == (REFUSED, "the past is over", "write 24h")


def test_not_found_has_a_code_of_its_own(folder) -> None:
    with canned(folder, {}):
        assert failure(folder).code == NOT_FOUND


@pytest.mark.parametrize(
    "answer",
    [(500, b"Internal Server Error"), (502, b""), (400, b"[]"), (400, b'"text"'), (400, b'{"detail": null}')],
)
def test_a_refusal_without_words_still_has_a_fix(folder, answer) -> None:
    with canned(folder, {"/api/ports": answer}):
        found = failure(folder)

    assert (found.code, found.detail) == (REFUSED, f"the agent answered with status {answer[0]}")
    assert found.fix.startswith("homeport ")


@pytest.mark.parametrize(
    "answer",
    [(200, b"<html>"), (0, b"SSH-2.0-OpenSSH\r\n"), (0, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")],
)
def test_an_answer_that_is_no_answer(folder, answer) -> None:
    with canned(folder, {"/api/ports": answer}):
        found = failure(folder)

    assert found.code in (REFUSED, UNREACHABLE)
    assert found.fix


def test_an_answer_without_end_is_not_read_to_its_end(folder, monkeypatch) -> None:
    monkeypatch.setattr(agent_client, "MAX_BODY", 100)
    with canned(folder, {"/api/ports": ["x" * 200]}):
        found = failure(folder)

    assert "more than 100 bytes" in found.detail


def test_both_readers_of_the_settings_look_in_the_same_places() -> None:
    assert installation.CANDIDATES == settings.CANDIDATES


@pytest.mark.parametrize("text", ["socket_dir = 3", "", "not toml", "socket_dir = 'a'\nx = \xff"])
def test_a_settings_file_that_leads_nowhere(folder, monkeypatch, text) -> None:
    config = folder / "agent.toml"
    config.write_bytes(text.encode("latin-1"))
    monkeypatch.setenv("HOMEPORT_CONFIG", str(config))
    with pytest.raises(Failure) as caught:
        installation.find()

    assert caught.value.code == UNREACHABLE
    assert caught.value.fix == f"homeportd check --config {config}"


def test_no_settings_file_at_all(folder, monkeypatch) -> None:
    monkeypatch.setenv("HOMEPORT_CONFIG", str(folder / "missing.toml"))
    with pytest.raises(Failure) as caught:
        installation.find()

    assert "not installed for this user" in caught.value.detail
