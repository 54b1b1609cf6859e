"""Ansible itself runs, on this machine, what changes nothing of it."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import plugin

ROOT = Path(__file__).parents[2]
ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
# A no-op run takes 0.3 to 0.5 s for each of these, and shall take 15 s at most.
MOST_TASKS = 36
LINK = "http://localhost:8080/login/a-secret"


def playbook(
    file: Path, *arguments: str, folder: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a playbook with the repository's own ansible.cfg; stderr joins stdout."""
    return subprocess.run(
        [ANSIBLE, file, *arguments],
        cwd=folder,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8", **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_preflight_reports_an_occupied_port_and_wrong_variables_together(occupied: int) -> None:
    wrong = {
        "caddy_port": occupied,
        "homeport_origin": f"http://{{port}}.localhost:{occupied}",
        "homeport_port_ranges": ["9-1"],
    }
    result = playbook(ROOT / "playbooks/preflight.yml", "--extra-vars", json.dumps(wrong))
    assert result.returncode != 0
    assert f"port {occupied} at 127.0.0.1 is taken by" in result.stdout
    assert f"(pid {os.getpid()})" in result.stdout
    assert "'9-1'" in result.stdout
    assert result.stdout.count("fix: ") == 2
    assert "Nothing was changed." in result.stdout


@pytest.mark.parametrize("check", [False, True], ids=["run", "check"])
def test_the_login_link_is_on_the_terminal_and_nowhere_else(tmp_path: Path, check: bool) -> None:
    command = tmp_path / "homeport"
    asked = tmp_path / "asked"
    command.write_text(f"#!/bin/sh\ntouch {asked}\necho '{json.dumps({'url': LINK})}'\n")
    command.chmod(0o755)
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {
            "homeport": {
                "agent": {
                    "dashboard": "http://localhost:8080",
                    "user": "alice",
                    "user_sentence": "this account installed Homeport with sudo",
                },
                "bin": str(tmp_path),
                "groups": ["workstation", "edge"],
                "edge": {"url": "http://{name}.tunnel.localhost:8081"},
                "rootful": True,
                "boot": False,
                "software": "/opt/homeport",
                "settings": "/etc/homeport",
            }
        },
        "tasks": [{"ansible.builtin.include_role": {"name": "homeportd", "tasks_from": "panel.yml"}}],
    }
    file = tmp_path / "play.yml"
    file.write_text(yaml.safe_dump([play]))
    log = tmp_path / "ansible.log"
    options = ["-vvv", *(["--check"] if check else [])]
    result = playbook(
        file,
        f"--inventory={ROOT / 'inventory/local'}",
        *options,
        ANSIBLE_LOG_PATH=str(log),
        HOMEPORT_SITE_PATH="/usr/bin:/bin",
        HOMEPORT_SITE_SHELL="sh",
    )
    assert result.returncode == 0, result.stdout
    for line in (
        "  Account    alice: this account installed Homeport with sudo",
        "another: bin/site -e homeport_user=NAME",
        f'  Command    export PATH="{tmp_path}:$PATH"',
        "/opt/homeport/tools/supervisor/current/bin/supervisord --configuration=/etc/homeport/supervisord.conf",
    ):
        assert result.stdout.count(line) == (0 if check else 1), line
    assert "http://localhost:8080" in result.stdout
    assert result.stdout.count(LINK) == (0 if check else 1)
    assert result.stdout.count("homeport http 3000 --domain myapp") == (0 if check else 1)
    assert "homeport init" not in result.stdout  # for this machine alone: its user is connected already
    assert asked.exists() is not check
    assert log.stat().st_size > 0
    assert LINK not in log.read_text()
    # Another callback, which prints and logs whatever it is given, gets nothing.
    other = playbook(
        file, f"--inventory={ROOT / 'inventory/local'}", *options, ANSIBLE_STDOUT_CALLBACK="default"
    )
    assert other.returncode == 0
    assert LINK not in other.stdout


@pytest.mark.parametrize("name", ["site.yml", "playbooks/workstation.yml", "playbooks/edge.yml"])
def test_a_run_that_starts_at_a_task_says_why_it_cannot(name: str) -> None:
    task = "Install Traefik" if "edge" in name else "Install Caddy"
    result = playbook(ROOT / name, "--check", "--start-at-task", task)
    assert result.returncode != 0
    assert "error: preflight has not looked at this host" in result.stdout
    assert "fix: leave --start-at-task out" in result.stdout


def test_each_role_has_a_tag_and_preflight_runs_with_all() -> None:
    listed = playbook(ROOT / "site.yml", "--list-tags").stdout
    tags = {tag for words in re.findall(r"TASK TAGS: \[(.*)\]", listed) for tag in words.split(", ")}
    roles = {path.name for path in (ROOT / "roles").iterdir()} - {"homeport", "preflight", "service"}
    assert tags == {"always", "workstation", "edge", *roles}


@pytest.mark.parametrize(
    ("run", "skipped", "leaves_out"),
    [
        ({"all"}, set(), False),
        ({"homeportd"}, set(), False),
        ({"workstation"}, set(), False),
        ({"caddy"}, set(), True),
        ({"edge"}, set(), True),
        ({"all"}, {"caddy"}, False),
        ({"all"}, {"homeportd"}, True),
    ],
)
def test_tags_that_leave_the_agent_out(run: set[str], skipped: set[str], leaves_out: bool) -> None:
    assert plugin("action.preflight").leaves_agent_out(run, skipped, {"workstation"}) is leaves_out


def test_a_workstation_learns_the_address_of_the_inventorys_edge() -> None:
    url = "https://{name}.tunnel.example.com"
    host: dict[str, Any] = {
        "groups": {"edge": ["vps"]},
        "group_names": ["workstation"],
        "hostvars": {"vps": {"homeport_edge_url": url}},
    }
    add = plugin("action.preflight").with_edge
    assert add(host)["homeport_edge_url"] == url
    assert add({**host, "homeport_edge_url": "mine"})["homeport_edge_url"] == "mine"
    for other in ({"group_names": ["edge"]}, {"groups": {}}, {"hostvars": {"vps": {}}}):
        assert "homeport_edge_url" not in add({**host, **other})


def test_a_playbook_runs_from_another_folder_and_without_warnings(tmp_path: Path) -> None:
    """Without ansible.cfg, which nobody finds from there."""
    inventory, empty = f"--inventory={ROOT / 'inventory/local'}", tmp_path / "empty.cfg"
    empty.touch()
    file = ROOT / "playbooks/preflight.yml"
    result = playbook(file, inventory, folder=tmp_path, ANSIBLE_CONFIG=str(empty))
    assert result.returncode == 0, result.stdout
    assert "Look at the host" in result.stdout
    assert "WARNING" not in result.stdout


def tasks_of(file: Path) -> Iterator[dict[str, object]]:
    """The tasks of a file, with those in blocks, without the blocks."""
    for task in yaml.safe_load(file.read_text()) or []:
        yield from task.get("block", [task])


def test_tasks_are_few() -> None:
    """Those that a finished host runs: not the ones that wait for something to be missing."""
    idle = (
        "preview",
        "todo",
        "complete",
        "installed",
        "problems",
        "homeportd_leaves",
        "service_start is changed",
        "last_known_good",
        "to_download",
    )
    count = 0
    for role in ("preflight", "artifact", "homeportd", "caddy", "traefik", "service", "service", "service"):
        for name in ("main.yml", "run.yml", "systemd.yml"):
            file = ROOT / "roles" / role / "tasks" / name
            if file.is_file():
                conditions = (str(task.get("when", "")) for task in tasks_of(file))
                count += sum(not any(word in condition for word in idle) for condition in conditions)
    assert count <= MOST_TASKS


@pytest.mark.parametrize("word", ["ignore_errors: true", "|| true", ": latest", "community."])
def test_no_task_hides_a_failure_or_takes_what_comes(word: str) -> None:
    files = [*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml"), ROOT / "site.yml"]
    assert [str(file) for file in files if word in file.read_text()] == []


def test_site_explains_itself() -> None:
    result = subprocess.run([ROOT / "bin/site", "--help"], capture_output=True, text=True, check=True)
    for word in ("bin/site --check --diff", "-i inventory/mine", "Exit status"):
        assert word in result.stdout
