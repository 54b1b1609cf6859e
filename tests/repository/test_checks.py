"""The checks themselves: pre-commit and CI run what bin/test runs, and bin/test counts what it ran."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    """bin/test, which has no .py at its end, as a module."""
    loader = SourceFileLoader("bin_test", str(ROOT / "bin" / "test"))
    spec = importlib.util.spec_from_loader("bin_test", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bin_test"] = module
    # No bin/__pycache__ beside the commands.
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    sys.path.insert(0, str(ROOT / "bin"))
    try:
        loader.exec_module(module)
    finally:
        sys.path.remove(str(ROOT / "bin"))
        sys.dont_write_bytecode = before
    return module


def test_pre_commit_has_a_hook_for_each_lint_step(runner: ModuleType) -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = {hook["id"]: hook["entry"] for repo in config["repos"] for hook in repo["hooks"]}
    assert hooks == {step.name: f"bin/test --step {step.name}" for step in runner.lint_steps()}


def test_no_hook_comes_from_elsewhere() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repo["repo"] for repo in config["repos"]] == ["local"]


def test_ci_runs_the_script_that_a_person_runs() -> None:
    workflow = (ROOT / ".github/workflows/test.yml").read_text()
    assert ".ci/run" in workflow
    assert "exec bin/test" in (ROOT / ".ci/run").read_text()
    assert "\nbin/site\n" in (ROOT / ".ci/site").read_text()
    assert "run: .ci/site" in workflow


def test_parts_that_are_missing_are_named_once(runner: ModuleType) -> None:
    said = "SKIPPED [2] tests/parts.py:22: left out: part {} is not made: bin/real-parts {}, about 420 s\n"
    text = said.format("gitea", "gitea") + said.format("frp", "frp") + said.format("gitea", "gitea")
    assert runner.missing_parts(text) == ["frp", "gitea"]
    assert runner.missing_parts("SKIPPED [1] tests/a.py:1: left out: podman is not installed\n") == []


def test_list_names_every_step() -> None:
    listed = subprocess.run(
        [ROOT / "bin/test", "--list"], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"ruff-check", "mypy", "wheel", "agent", "machines", "molecule-workstation"} <= set(listed)


def test_unknown_step_is_refused_with_the_known_ones() -> None:
    result = subprocess.run(
        [ROOT / "bin/test", "--step", "nonsense"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "no step nonsense; there are wheel, ruff-check" in result.stderr


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("===== 3 passed in 0.12s =====\n", (3, 0, 0)),
        ("== 1 failed, 2 passed, 4 skipped in 61.00s (0:01:01) ==\n", (2, 1, 4)),
        ("2 passed in 0.1s\n", (2, 0, 0)),
        ("= 2 passed in 1.0s =\nnoise\n= 1 passed, 2 errors in 3.5s =\n", (3, 2, 0)),
        ("\x1b[32m== \x1b[32m\x1b[1m5 passed\x1b[0m\x1b[32m in 0.1s\x1b[0m ==\n", (5, 0, 0)),
        ("built in 3.2s\n", (0, 0, 0)),
    ],
)
def test_tests_are_counted_from_pytests_own_closing_lines(
    runner: ModuleType, text: str, counted: tuple[int, int, int]
) -> None:
    assert runner.count(text) == counted


# Somebody's own terminal, language, Ansible and git; every name and value would change what a step prints or does.
HOSTILE = {
    "TERM": "xterm-256color",
    "FORCE_COLOR": "1",
    "CLICOLOR_FORCE": "1",
    "PY_COLORS": "1",
    "COLUMNS": "20",
    "LANG": "C",
    "LC_ALL": "C",
    "LANGUAGE": "de",
    "TZ": "Pacific/Kiritimati",
    "ANSIBLE_CONFIG": "/nonexistent/ansible.cfg",
    "ANSIBLE_STDOUT_CALLBACK": "minimal",
    "ANSIBLE_FORCE_COLOR": "true",
    "GIT_DIR": "/nonexistent",
    "GIT_CONFIG_GLOBAL": "/nonexistent",
    "PYTHONPATH": "/nonexistent",
    "PYTHONWARNINGS": "ignore",
    "PYTEST_ADDOPTS": "--exitfirst",
    "PIP_USER": "1",
    "HOMEPORT_CONFIG": "/etc/homeport/agent.toml",
    "SUDO_USER": "alice",
    "VIRTUAL_ENV": "/nonexistent",
}
REACH = {
    "HOME": "/home/alice",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "localhost",
    "SSL_CERT_FILE": "/ca.pem",
    "NODE_EXTRA_CA_CERTS": "/ca.pem",
    "PIP_INDEX_URL": "https://index.example.com/simple",
    "npm_config_registry": "https://npm.example.com",
}


def test_a_step_runs_in_an_environment_that_the_callers_terminal_does_not_change(
    runner: ModuleType, tmp_path: Path
) -> None:
    plain = runner.environment({"PATH": "/usr/bin"}, Path("/tools"), tmp_path)
    assert runner.environment({"PATH": "/usr/bin", **HOSTILE}, Path("/tools"), tmp_path) == plain
    assert plain["PATH"] == "/tools/bin:/usr/bin"
    reaching = runner.environment({"PATH": "/usr/bin", **HOSTILE, **REACH}, Path("/tools"), tmp_path)
    assert reaching == {**plain, **REACH}


def test_a_step_has_no_terminal_no_colours_and_one_umask(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bin/test as it is typed: on a terminal, among hostile variables, with another umask."""
    script = f"""
import fcntl, os, runpy, sys, termios
from pathlib import Path
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # what a step could ask and measure, were it not led away
os.umask(0o077)
sys.argv = ["bin/test", "--step", "seen"]
sys.path.insert(0, {str(ROOT / "bin")!r})
from testing import installation
test = runpy.run_path({str(ROOT / "bin/test")!r})
seen = (sys.executable, "-c", {SEEN!r})
test["main"].__globals__.update(steps=lambda: [test["Step"]("seen", seen)], LOGS=Path({str(tmp_path)!r}))
test["main"].__globals__["install_tools"] = lambda: None
raise SystemExit(test["main"]())
"""
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PYTHONPATH")  # for this very process
    leader, follower = os.openpty()
    with os.fdopen(leader, "rb", 0), os.fdopen(follower, "rb", 0) as terminal:
        subprocess.run(
            [sys.executable, "-B", "-c", script], stdin=terminal, stdout=terminal, stderr=terminal,
            check=True, timeout=60, start_new_session=True,
        )  # fmt: skip
    assert json.loads((tmp_path / "seen.log").read_text()) == {
        "terminals": [False, False, False],
        "controlling": False,
        "umask": 0o022,
        "colour": "1",
        "term": "dumb",
        "locale": "C.UTF-8",
        "config": str(ROOT / "ansible.cfg"),
    }


SEEN = """
import json, os
try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    controlling = True
except OSError:
    controlling = False
names = {"colour": "NO_COLOR", "term": "TERM", "locale": "LC_ALL", "config": "ANSIBLE_CONFIG"}
print(json.dumps({
    "terminals": [os.isatty(number) for number in range(3)],
    "controlling": controlling,
    "umask": os.umask(0),
    **{key: os.environ.get(name) for key, name in names.items()},
}))
"""


def test_ci_adds_nothing_that_could_change_a_result(runner: ModuleType, tmp_path: Path) -> None:
    script = (ROOT / ".ci/run").read_text()
    added = dict(re.findall(r"(\w+)=(\S+)", script.partition("set -eu")[2]))
    plain = runner.environment({}, Path("/tools"), tmp_path)
    assert added
    assert runner.environment(added, Path("/tools"), tmp_path) == plain


@pytest.mark.parametrize(("status", "goes_on"), [(0, True), (3, True), (1, False), (2, False), (130, False)])
def test_ci_goes_on_without_parts_for_want_of_time_alone(tmp_path: Path, status: int, goes_on: bool) -> None:
    for name, text in (
        (".ci/run", (ROOT / ".ci/run").read_text()),
        ("bin/real-parts", f"#!/bin/sh\nexit {status}\n"),
        ("bin/test", "#!/bin/sh\necho tested\n"),
    ):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    result = subprocess.run([tmp_path / ".ci/run"], capture_output=True, text=True, check=False)
    assert (result.stdout, result.returncode == 0) == ("tested\n" if goes_on else "", goes_on)


def test_an_interrupt_ends_the_steps_under_way(tmp_path: Path) -> None:
    """A step leads a session of its own, which Ctrl+C does not reach: bin/test passes it on, and waits."""
    ready, tidied = tmp_path / "ready", tmp_path / "tidied"
    code = f"""
import pathlib, time
try:
    pathlib.Path({str(ready)!r}).touch()
    time.sleep(600)
except KeyboardInterrupt:
    pathlib.Path({str(tidied)!r}).touch()
"""
    script = f"""
import runpy, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "bin")!r})
test = runpy.run_path({str(ROOT / "bin/test")!r})
test["run"].__globals__["LOGS"] = Path({str(tmp_path)!r})
test["run_all"]([test["Step"]("long", (sys.executable, "-c", {code!r}))])
"""
    with subprocess.Popen([sys.executable, "-B", "-c", script], stderr=subprocess.DEVNULL) as process:
        while not ready.exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    assert tidied.exists()


def step(runner: ModuleType, name: str, code: str, **more: object) -> object:
    return runner.Step(name, (sys.executable, "-c", code), **more)


def test_a_failing_step_fails_the_run_and_shows_its_output(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    steps = [
        step(runner, "good", "print('===== 2 passed in 0.1s =====')"),
        step(runner, "bad", "print('why it broke'); raise SystemExit(1)"),
        step(runner, "later", "print('never')", after=("bad",)),
    ]
    assert runner.summary(runner.run_all(steps)) == 1
    output = capsys.readouterr().out
    assert "why it broke" in output
    assert "left out: later (a step before it did not pass)" in output
    assert output.endswith("\n2 passed, 1 failed\n")


def test_a_step_without_its_program_is_left_out_not_failed(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    steps = [step(runner, "machines", "print('never')", needs="no-such-program")]
    assert runner.summary(runner.run_all(steps)) == 0
    assert "left out: machines (no-such-program is not installed)" in capsys.readouterr().out


def test_a_missing_program_fails_a_step_that_may_not_be_left_out(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    [outcome] = runner.run_all([runner.Step("lint", ("no-such-program",))])
    assert outcome.state == "FAIL"


def flaky_step(runner: ModuleType, folder: Path, flaky: int, broken: int) -> object:
    """Pytest over so many tests that fail at first, so many that always fail, and one that passes."""
    (folder / "test_flaky.py").write_text(
        f"""
from pathlib import Path
import pytest

@pytest.mark.parametrize("name", {[f"flaky{number}" for number in range(flaky)]})
def test_at_first(name):
    been = Path(__file__).with_name(name)
    before, _ = been.exists(), been.touch()
    assert before, "its first failure"

@pytest.mark.parametrize("name", {[f"broken{number}" for number in range(broken)]})
def test_always(name):
    raise AssertionError("broken for good")

def test_fine():
    pass
"""
    )
    (folder / "pytest.ini").write_text("[pytest]\nempty_parameter_set_mark = skip\n")
    cache = folder / "cache"
    command = (sys.executable, "-m", "pytest", "-c", str(folder / "pytest.ini"), "-o", f"cache_dir={cache}")
    command += ("-p", "xdist", "--numprocesses=2", str(folder))
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # which takes seconds to load
    return runner.Step("agent", command, env=alone, failures=cache / "v/cache/lastfailed")


def test_few_tests_that_pass_when_run_again_are_told_and_do_not_fail_the_run(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    [outcome] = runner.run_all([flaky_step(runner, tmp_path, flaky=2, broken=0)])
    assert (outcome.state, outcome.passed, outcome.failed) == ("unsteady", 3, 0)
    assert runner.summary([outcome]) == 0
    output = capsys.readouterr().out
    assert "its first failure" in output
    assert output.count("\nunsteady: ") == 2


@pytest.mark.parametrize(("flaky", "broken"), [(3, 0), (1, 1), (0, 1)])
def test_many_failures_and_lasting_ones_fail_the_run(
    runner: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flaky: int,
    broken: int,
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    [outcome] = runner.run_all([flaky_step(runner, tmp_path, flaky, broken)])
    assert (outcome.state, outcome.failed) == ("FAIL", flaky + broken)
    assert runner.summary([outcome]) == 1
    assert "unsteady" not in capsys.readouterr().out


def test_what_failed_in_an_earlier_run_is_not_run_again(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "LOGS", tmp_path)
    noted = tmp_path / "cache/v/cache/lastfailed"
    noted.parent.mkdir(parents=True)
    noted.write_text('{"test_gone.py::test_a": true, "test_gone.py::test_b": true}')
    [outcome] = runner.run_all([flaky_step(runner, tmp_path, flaky=1, broken=0)])
    assert (outcome.state, len(outcome.unsteady)) == ("unsteady", 1)
