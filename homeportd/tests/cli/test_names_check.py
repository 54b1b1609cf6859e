"""Names below localhost: who finds them on this machine, and what helps the others."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from homeportd.cli.doctor import web_checks

ORIGINS = ("http://localhost:8080", "http://4210.localhost:8080")


def resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def test_what_is_said_is_what_this_machines_resolver_does() -> None:
    check = web_checks.names(*ORIGINS)
    assert check.state == ("ok" if resolves("4210.localhost") else "note")
    assert ("4210.localhost is" in check.detail) is resolves("4210.localhost")


@pytest.mark.parametrize(
    ("uid", "programs", "fix"),
    [
        (
            0,
            ("apt-get",),
            "apt-get install libnss-myhostname, or localhost_names_enabled: true in the inventory",
        ),
        (1000, ("apt-get", "sudo"), "sudo apt-get install libnss-myhostname, or"),
        (1000, ("apt-get",), "as root: apt-get install libnss-myhostname"),
        (0, (), "add to /etc/hosts: 127.0.0.1 4210.localhost"),
    ],
)
def test_the_fix_is_one_that_this_user_has(
    uid: int, programs: tuple[str, ...], fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in programs:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    monkeypatch.setattr(web_checks, "resolve", lambda host: ["127.0.0.1"] if host == "localhost" else [])
    assert (shutil.which("sudo") is not None) == ("sudo" in programs)
    check = web_checks.names(*ORIGINS)
    assert (check.state, "Node, Python and others" in check.detail) == ("note", True)
    assert (check.fix or "").startswith(fix)


def test_who_installed_without_root_is_not_told_of_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "sudo"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(web_checks, "resolve", lambda host: [])
    assert web_checks.names(*ORIGINS, rootless=True).fix == "as root: apt-get install libnss-myhostname"
