"""Files are checked before they take their fact, by the plugin that all roles write them with; in previews too."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, plugin

ANSIBLE = Path(sys.executable).parent / "ansible-playbook"
RUN_S = 300

Write = Callable[..., tuple[list[dict[str, Any]], str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Run the plugin with each of these arguments; its results, and what is on the terminal."""
    checker = tmp_path / "a checker"
    checker.write_text('#!/bin/sh\ngrep -q good "$3" || { echo "$2: no good $3"; exit 1; }\n')
    checker.chmod(0o755)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.conf.j2").write_text("{{ word }} page\n")

    def run(*arguments: dict[str, Any], check: bool = False, **task: Any) -> tuple[list[dict[str, Any]], str]:
        tasks: list[dict[str, Any]] = [
            {"name": f"Write {number}", "homeport.agent.template": {"mode": "0640", **given},
             "register": f"result{number}", "failed_when": False, **task}
            for number, given in enumerate(arguments)
        ]  # fmt: skip
        names = ", ".join(f"result{number}" for number in range(len(arguments)))
        tasks.append(
            {
                "ansible.builtin.copy": {
                    "content": f"{{{{ [{names}] | to_json }}}}",
                    "dest": f"{tmp_path}/results",
                },
                "check_mode": False,
                "no_log": True,
            }
        )
        play = {"hosts": "localhost", "gather_facts": False, "vars": {"word": "good"}, "tasks": tasks}
        file = tmp_path / "play.yml"
        file.write_text(yaml.safe_dump([play]))
        done = subprocess.run(
            [ANSIBLE, file, f"--inventory={ROOT / 'inventory/local'}", "--diff", *["--check"] * check],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=RUN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return json.loads((tmp_path / "results").read_text()), done.stdout

    return run


def test_a_run_writes_what_was_checked_and_leaves_what_is_refused(write: Write, tmp_path: Path) -> None:
    check = [str(tmp_path / "a checker"), "100%", "it's", "%s"]
    page, old = tmp_path / "page.conf", tmp_path / "old.conf"
    old.write_text("good old\n")
    [rendered, again, refused, plain], _ = write(
        {"src": "page.conf.j2", "dest": str(page), "validate": check},
        {"content": "good page\n", "dest": str(page), "validate": check},
        {"content": "bad\n", "dest": str(old), "validate": check},
        {"content": "{{ 'x' * 3 }}", "dest": str(tmp_path / "plain")},
    )
    assert (rendered["changed"], again["changed"], plain["changed"]) == (True, False, True)
    assert (page.read_text(), page.stat().st_mode & 0o777) == ("good page\n", 0o640)
    assert (tmp_path / "plain").read_text() == "xxx"
    assert old.read_text() == "good old\n"
    assert refused["msg"].startswith(
        f"error: a checker refuses the new {old}; the old one stays:\nit's: no good /"
    )
    assert "\nfix: correct the setting" in refused["msg"]
    assert refused["msg"].splitlines()[1].endswith(".conf")  # checkers go by the ending


def test_a_preview_tells_what_a_run_would_do_and_does_nothing(write: Write, tmp_path: Path) -> None:
    checker = str(tmp_path / "a checker")
    check = [checker, "100%", "it's", "%s"]
    there, missing = tmp_path / "there.conf", tmp_path / "not/yet/there.conf"
    there.write_text("good old\n")
    results, terminal = write(
        {"content": "good new\n", "dest": str(there), "validate": check},
        {"content": "good old\n", "dest": str(there), "validate": ["/nowhere/checker", "%s"], "mode": "0644"},
        {"content": "bad\n", "dest": str(there), "validate": check},
        {"content": "good first\n", "dest": str(missing), "validate": check, "owner": "nobody-yet"},
        {"content": "bad\n", "dest": str(missing), "validate": check},
        {"content": "unknown\n", "dest": str(missing), "validate": ["/nowhere/checker", "%s"]},
        {"content": "unknown\n", "dest": str(missing), "validate": ["no-such-checker", "%s"]},
        {"content": "unknown\n", "dest": str(missing), "validate": [*check, "/nowhere/too"]},
        {"content": "unknown\n", "dest": str(missing), "validate": check, "needs": ["/nowhere/needed"]},
        check=True,
    )
    assert [result["changed"] for result in results[:2]] == [True, False]
    assert [result.get("msg", "") for result in (*results[:2], results[3])] == ["", "", ""]
    for result, name in ((results[2], there), (results[4], missing)):
        assert f"refuses the new {name}" in result["msg"]
        assert "it's: no good /" in result["msg"]
    for result, path in zip(
        results[5:], ("/nowhere/checker", "no-such-checker", "/nowhere/too", "/nowhere/needed"), strict=True
    ):
        assert result["changed"]
        assert result["msg"] == f"{missing} is not checked: {path} is not there yet"
    assert f"--- before: {there}\n+++ after: {there}\n@@ -1 +1 @@\n-good old\n+good new\n" in terminal
    assert "+good first\n" in terminal
    assert f"+++ after: {missing} (not checked: /nowhere/needed is not there yet)" in terminal
    assert there.read_text() == "good old\n"
    assert not missing.parent.parent.exists()


@pytest.mark.parametrize("folder", ["", "not-yet/"], ids=["folder", "nothing"])
def test_a_preview_of_a_secret_shows_nothing(write: Write, tmp_path: Path, folder: str) -> None:
    given = {"content": "TOKEN=hidden", "dest": f"{tmp_path}/{folder}secret.env"}
    _, terminal = write(given, check=True, no_log=True)
    assert "Write 0" in terminal
    assert "hidden" not in terminal


def test_a_checker_of_ours_speaks_for_itself() -> None:
    refusal = plugin("action.template").refusal
    said = "error: port_ranges is wrong\nfix: write 3000-9999\n"
    assert refusal("/etc/x", ["/opt/bin/homeportd", "check", "%s"], f"\n{said}") == said.strip()
    assert "a?b" in refusal("/etc/x", ["check", "%s"], "a\x1bb")


def test_no_task_has_a_twin_for_the_preview() -> None:
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]
    assert [str(file) for file in files if "preview)" in file.read_text()] == []

    assert [str(file) for file in files if "ansible.builtin.template:" in file.read_text()] == []
