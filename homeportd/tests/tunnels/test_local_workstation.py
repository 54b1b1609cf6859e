"""What a tunnel client reads in the settings of this machine's agent."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from homeportd.tunnels import local_workstation

ME = pwd.getpwuid(os.geteuid()).pw_name
WORKSTATION = 'origin = "http://{port}.localhost:8080"\nsocket_dir = "/run/homeport"\n'


@pytest.mark.parametrize(
    ("text", "root", "name"),
    [
        ("", False, None),
        ('edge_name = "desk"', False, "desk"),
        (f'edge_name = "desk"\nuser = "{ME}"\nuser_reason = "sudo"', False, "desk"),
        ('edge_name = "desk"\nuser = "somebody-else"\nuser_reason = "sudo"', False, None),
        ('edge_name = "desk"\nuser = "somebody-else"\nuser_reason = "sudo"', True, None),
        # An account that was made for the agent has no daemon of its own.
        ('edge_name = "desk"\nuser = "homeport"\nuser_reason = "root"', True, "desk"),
        ('edge_name = "desk"\nuser = "homeport"\nuser_reason = "root"', False, None),
        ("edge_name = 7", False, None),
        ("no toml", False, None),
    ],
)
def test_one_daemon_has_the_workstations_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, root: bool, name: str | None
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(WORKSTATION + text)
    monkeypatch.setenv("HOMEPORT_CONFIG", str(file))
    uid = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else uid or 1000)
    monkeypatch.setattr(local_workstation, "_names_of_user", lambda: ("root",) if root else (ME,))
    assert local_workstation.read().name == name


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (WORKSTATION, "/run/homeport/visitors/visitors.sock"),
        ('socket_dir = "/run/homeport"\n[edge]\n', None),  # an edge alone has no Caddy
        ("", None),
    ],
)
def test_visitors_go_to_caddys_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, path: str | None
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(text)
    monkeypatch.setenv("HOMEPORT_CONFIG", str(file))
    assert local_workstation.read().visitors == path
