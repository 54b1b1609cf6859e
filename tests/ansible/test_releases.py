"""How a service's state is read, when it is given up, and the way from one release of the agent to another."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def systemd(active: str, pid: int = 0, result: str = "success", job: int = 0, restarts: int = 0) -> str:
    return f"ActiveState={active}\nResult={result}\nMainPID={pid}\nExecMainStatus=3\nNRestarts={restarts}\nJob={job}\n"


@pytest.mark.parametrize(
    ("text", "kind", "pid"),
    [
        (systemd("active", 12), "running", 12),
        (systemd("activating", 12), "starting", 12),  # Type=notify that has not said READY
        (systemd("activating", 0, "exit-code"), "starting", 0),  # between two tries
        (systemd("failed", 0, "exit-code"), "failed", 0),
        (systemd("failed", 0, "exit-code", job=7), "starting", 0),  # from before the start that is queued
        (systemd("inactive", 0, job=7), "starting", 0),
        (systemd("inactive"), "failed", 0),
        ("", "starting", 0),  # systemctl did not answer
    ],
)
def test_systemds_word_on_a_unit(processes: ModuleType, text: str, kind: str, pid: int) -> None:
    state = processes.parse_systemd(text)
    assert (state.kind, state.pid) == (kind, pid)


def test_the_exit_status_is_told(processes: ModuleType) -> None:
    state = processes.parse_systemd(systemd("failed", 0, "exit-code"))
    assert processes.Watch().see(state) == "it ended with exit status 3"


@pytest.mark.parametrize(
    ("text", "kind", "pid"),
    [
        ("homeportd  RUNNING   pid 2077, uptime 0:00:02", "running", 2077),
        ("homeportd  STARTING  ", "starting", 0),
        ("homeportd  BACKOFF   Exited too quickly (process log may have details)", "starting", 0),
        ("homeportd  STOPPED   Not started", "starting", 0),
        ("homeportd  EXITED    Nov 30 05:00 PM", "failed", 0),
        ("homeportd  FATAL     can't find command '/x'", "failed", 0),
        ("homeportd: ERROR (no such process)", "starting", 0),
        ("unix:///etc/homeport/supervisor.sock no such file", "starting", 0),
        ("", "starting", 0),
    ],
)
def test_supervisords_word_on_a_program(processes: ModuleType, text: str, kind: str, pid: int) -> None:
    state = processes.parse_supervisor(text)
    assert (state.kind, state.pid) == (kind, pid)


def test_a_crash_loop_is_given_up_and_a_slow_start_is_not(processes: ModuleType) -> None:
    watch, most = processes.Watch(), processes.MOST_ENDS
    for number in range(most):
        assert watch.see(processes.State("starting", 100 + number, "")) == ""
        assert watch.see(processes.State("starting", 100 + number, "")) == ""
    assert watch.see(processes.State("starting", 0, "")) == f"it ended {most} times"
    # Each of its lives is shorter than the time between two looks; its manager counts them.
    watch = processes.Watch()
    assert watch.see(processes.State("starting", 0, "", 40)) == ""
    assert watch.see(processes.State("starting", 0, "", 40 + most - 1)) == ""
    assert watch.see(processes.State("starting", 0, "", 40 + most)) == f"it ended {most} times"
    # Under supervisord it is never seen with its pid.
    watch = processes.Watch()
    for _ in range(most - 1):
        assert watch.see(processes.parse_supervisor("homeportd  STARTING  ")) == ""
        assert watch.see(processes.parse_supervisor("homeportd  BACKOFF   Exited too quickly")) == ""
        assert watch.see(processes.parse_supervisor("homeportd  BACKOFF   Exited too quickly")) == ""
    watch.see(processes.parse_supervisor("homeportd  STARTING  "))
    assert (
        watch.see(processes.parse_supervisor("homeportd  BACKOFF   Exited too quickly"))
        == f"it ended {most} times"
    )
    # A start by hand sets that count to 0.
    assert processes.Watch().see(processes.State("starting", 0, "", 9)) == ""


def test_the_end_of_a_log_is_short_and_harmless(processes: ModuleType) -> None:
    text = "\n".join([f"line {number}" for number in range(100)] + ["\x1b[2Jgone\r", "x" * 9999, "\u202egnp"])
    lines = processes.last_lines(text)
    assert len(lines) == processes.LOG_LINES
    assert lines[-3:] == ["?[2Jgone", "x" * processes.LOG_LINE, "?gnp"]
    assert processes.last_lines("\n \n") == []


class Script:
    """A manager whose answers are given; the last one stays."""

    def __init__(self, *states: Any) -> None:
        self.states = list(states)

    def state(self, name: str) -> Any:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@pytest.fixture
def quick(processes: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "POLL_S", 0.0)


@pytest.mark.usefixtures("quick")
def test_a_service_that_answers_and_dies_does_not_count(processes: ModuleType, tmp_path: Path) -> None:
    def state(pid: int) -> Any:
        return processes.State("running" if pid else "starting", pid, "")

    def answer(manager: Any, command: list[str], seconds: float) -> Any:
        return processes.wait(manager, "x", "", processes.asked_by(command), seconds, settled=0.01)

    dying = Script(*[state(pid) for pid in (1, 0, 2, 0, 3, 0, 4, 0, 5, 0)])
    assert answer(dying, ["true"], 10) == f"it ended {processes.MOST_ENDS} times"
    assert answer(Script(state(7)), ["true"], 10) == ""
    problem = answer(Script(state(7)), ["sh", "-c", "echo not me >&2; exit 1"], 0.1)
    assert problem == "it does not answer (not me) within 0.1 s"
    assert answer(Script(state(0)), ["true"], 0.05) == "it is not ready within 0.05 s"
    missing = answer(Script(state(7)), [str(tmp_path / "nothing")], 0.05)
    assert "No such file" in missing


@pytest.mark.usefixtures("quick")
def test_the_process_from_before_the_restart_does_not_count(processes: ModuleType) -> None:
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(
        command,
        env={**os.environ, "HOMEPORT_FINGERPRINT": "old"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        running = processes.State("running", process.pid, "")
        assert processes.wait(Script(running), "x", "old", None, 5) == ""
        assert "not ready" in processes.wait(Script(running), "x", "new", None, 0.05)
        process.communicate()


# A release whose command is a script of the test; `knows` is whether it has restore-database.
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def release(name: str, schema: int, knows: bool, answer: str = "") -> Path:
        folder = tmp_path / "releases" / name
        (folder / "bin").mkdir(parents=True)
        migrations = folder / "lib/python3.11/site-packages/homeportd/migrations"
        migrations.mkdir(parents=True)
        for number in range(1, schema + 1):
            (migrations / f"{number:04}_x.sql").touch()
        program = folder / "bin/homeportd"
        refuse = "" if knows else '[ "$1" != restore-database ] || exit 2\n'
        program.write_text(
            f'#!/bin/sh\n{refuse}[ "$2" = --help ] && exit 0\necho {name} "$@" >> {tmp_path}/calls\n{answer}\n'
        )
        program.chmod(0o755)
        return folder

    return release


def test_the_releases_own_command_is_used_and_another_ones_where_it_has_none(
    releases: ModuleType, make: Make, tmp_path: Path
) -> None:
    make("old", 2, knows=False)
    make("middle", 3, knows=True)
    make("new", 4, knows=True)
    found = releases.Releases(tmp_path, ["new", "middle", "old"], "", "/data")
    assert found.restoring("middle")[0] == f"{tmp_path}/releases/middle/bin/homeportd"
    command = found.restoring("old")
    assert command[0] == f"{tmp_path}/releases/new/bin/homeportd"
    assert command[-3:-1] == ["--schema", "2"], "as many as the old one has migrations"
    as_root = releases.Releases(tmp_path, ["new"], "dev", "/data").restoring("new")
    assert as_root[:4] == ["runuser", "-u", "dev", "--"]
    (tmp_path / "releases/middle/bin/homeportd").unlink()  # one that is broken
    assert found.restoring("middle")[0] == f"{tmp_path}/releases/new/bin/homeportd"
    assert releases.Releases(tmp_path, ["old"], "", "/data").database("old") == {"needed": False}


def test_a_database_that_cannot_be_brought_back_is_told(
    releases: ModuleType, make: Make, tmp_path: Path
) -> None:
    make("a", 2, knows=True, answer="echo 'error: there is no copy' >&2; exit 3")
    with pytest.raises(releases.ReleaseError, match="error: there is no copy"):
        releases.Releases(tmp_path, ["a"], "", "/data").database("a")
    make("b", 2, knows=True, answer="echo nonsense")
    with pytest.raises(releases.ReleaseError, match="no JSON"):
        releases.Releases(tmp_path, ["b"], "", "/data").database("b")


class Stopping:
    """A manager that notes what it stops."""

    def __init__(self, problem: str = "") -> None:
        self.stopped: list[str] = []
        self.problem = problem

    def stop(self, name: str) -> str:
        self.stopped.append(name)
        return self.problem


@pytest.mark.parametrize(("needed", "dry"), [(False, False), (True, True), (True, False)])
def test_the_agent_is_stopped_only_where_its_database_is_replaced(
    releases: ModuleType, make: Make, tmp_path: Path, needed: bool, dry: bool
) -> None:
    answer = json.dumps({"needed": needed, "text": "words"})
    make("a", 2, knows=True, answer=f"echo '{answer}'")
    found, manager = releases.Releases(tmp_path, ["a"], "", "/data"), Stopping()
    done = releases.bring_database(found, manager, "a", "homeportd", "", dry=dry)
    assert done["needed"] is needed
    assert manager.stopped == (["homeportd"] if needed and not dry else [])
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "--check" in calls[0]
    assert len(calls) == (2 if needed and not dry else 1)
    if needed and not dry:
        with pytest.raises(releases.ReleaseError, match="could not be stopped"):
            releases.bring_database(found, Stopping("it could not be stopped"), "a", "x", "", dry=False)


def test_what_a_release_ran_with_comes_back(releases: ModuleType, make: Make, tmp_path: Path) -> None:
    kept = make("a", 1, knows=True) / "kept"
    settings, unit, added = (
        tmp_path / name for name in ("agent.toml", "homeportd.service", "homeport-new.service")
    )
    settings.write_text("old")
    unit.write_text("old unit")
    unit.chmod(0o600)
    files = [settings, unit, added]
    assert releases.keep(kept, files)
    settings.write_text("new")
    unit.unlink()
    added.write_text("of the newer release alone")
    # A run that was interrupted and begins again keeps nothing of the release that it was about to run.
    assert not releases.keep(kept, files)
    assert releases.left_over(kept, files) == ["homeport-new"]
    assert releases.present(files, ["homeportd", "homeport-new"]) == ["homeport-new"]
    releases.put_back(kept, files)
    assert settings.read_text() == "old"
    assert (unit.read_text(), unit.stat().st_mode & 0o777) == ("old unit", 0o600)
    assert not added.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"agent.toml", "homeportd.service", "releases"}


def test_an_interrupted_keep_is_begun_anew(releases: ModuleType, make: Make, tmp_path: Path) -> None:
    folder = make("a", 1, knows=True)
    (folder / ".kept.new").mkdir()
    (folder / ".kept.new/agent.toml").write_text("half")
    (tmp_path / "agent.toml").write_text("whole")
    assert releases.keep(folder / "kept", [tmp_path / "agent.toml"])
    assert (folder / "kept/agent.toml").read_text() == "whole"
    assert not (folder / ".kept.new").exists()


def test_the_link_is_switched_whatever_is_there(releases: ModuleType, tmp_path: Path) -> None:
    found = releases.Releases(tmp_path, [], "", "/data")
    (tmp_path / ".current.new").symlink_to("left by an interrupted run")
    for name in ("a", "b"):
        found.switch(name)
        assert str((tmp_path / "current").readlink()) == f"releases/{name}"
    assert not (tmp_path / ".current.new").is_symlink()


AGENT: dict[str, Any] = {
    "complete": ["d", "c", "b", "a"],
    "broken": [],
    "current": "c",
    "kept": [],
    "answered": ["c"],
}
NEW = json.dumps({"release": "d"})


@pytest.mark.parametrize(
    ("agent", "before", "back"),
    [
        ({}, "c", True),  # the ordinary upgrade
        ({"current": "d", "answered": ["d"], "kept": ["c"]}, "c", False),  # nothing to do
        ({"current": "d", "kept": ["c", "b"]}, "c", True),  # a run that was killed after the switch
        ({"current": "d", "kept": []}, "", False),  # the first release
        ({"current": None, "complete": [], "answered": []}, "", False),
        ({"current": "gone"}, "", False),
    ],
)
def test_where_a_run_goes_back_to(
    render: Callable[..., str], agent: dict[str, Any], before: str, back: bool
) -> None:
    known = {"homeport": {"installed": {"agent": {**AGENT, **agent}}}, "artifact_build": {"stdout": NEW}}
    assert render("homeportd", "{{ homeportd_before }}", **known).strip() == before
    assert render("homeportd", "{{ homeportd_can_go_back }}", **known) == str(back)


@pytest.mark.parametrize(
    ("agent", "wanted", "to"),
    [
        ({"current": "d", "kept": ["b", "c"]}, None, "b"),  # the last one that was left
        ({"current": "c", "kept": []}, None, "b"),  # d was installed later, and did not run
        ({"current": "a", "kept": []}, None, ""),
        ({"current": "a", "kept": ["a"]}, "d", "d"),
        ({"current": None, "complete": []}, None, ""),
    ],
)
def test_where_a_rollback_goes(
    render: Callable[..., str], agent: dict[str, Any], wanted: str | None, to: str
) -> None:
    chosen = {"release": wanted} if wanted else {}
    known = {"homeport": {"installed": {"agent": {**AGENT, **agent}}}, **chosen}
    assert render("homeportd", "{{ homeportd_rollback_to }}", **known).strip() == to


@pytest.mark.parametrize(
    ("current", "keep", "gone"),
    [("c", 3, "['a']"), ("a", 3, "['b']"), ("d", 3, "['a']"), ("a", 1, "['c', 'b']")],
)
def test_the_release_that_a_rollback_needs_stays(
    render: Callable[..., str], current: str, keep: int, gone: str
) -> None:
    known = {
        "homeport": {
            "agent": {"keep_releases": keep},
            "installed": {"agent": {**AGENT, "current": current}},
        },
        "artifact_build": {"stdout": NEW},
    }
    assert render("homeportd", "{{ homeportd_old_releases }}", **known).strip() == gone


@pytest.mark.parametrize("answers", [True, False])
def test_a_failed_upgrade_says_what_runs_now(render: Callable[..., str], answers: bool) -> None:
    back = {
        "answers": answers,
        "problem": "homeportd does not run: why",
        "database": "It is as it was.",
        "database_problem": "",
    }
    text = render(
        "homeportd",
        "{{ homeportd_failure }}",
        homeport={"installed": {"agent": AGENT}, "manager": "systemd"},
        artifact_build={"stdout": NEW},
        ansible_failed_result={"msg": "long", "problem": "error: it ended 5 times\nfix: nothing"},
        service_back_result=back,
    )
    assert "error: release d of the agent does not run: it ended 5 times" in text
    assert "fix: read more with journalctl --unit homeportd --lines 50" in text
    assert ("Release c serves again" in text) is answers
    assert ("does not answer either" in text) is not answers
    assert "It is as it was." in text


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ({"current": "d", "answered": ["d"]}, "its new settings are the reason"),
        ({"current": None, "complete": ["d"], "answered": []}, "There is no older release to go back to."),
    ],
)
def test_where_there_is_no_way_back_it_is_said(
    render: Callable[..., str], agent: dict[str, Any], words: str
) -> None:
    text = render(
        "homeportd",
        "{{ homeportd_failure }}",
        homeport={"installed": {"agent": {**AGENT, **agent}}, "manager": "systemd"},
        artifact_build={"stdout": NEW},
        ansible_failed_result={"msg": "it ended"},
    )
    assert words in text
