"""The agent's folders get another owner: the module itself, on real files. Needs root, as it does on a host."""

import fcntl
import grp
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .conftest import PLUGINS

MODULE = PLUGINS / "modules/handover.py"
# Accounts that every Debian has, each with a group of the same name.
OLD, NEW, OTHER = "daemon", "games", "mail"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="left out: root alone gives files away")
Run = Callable[..., dict[str, Any]]


def own(path: Path, user: str, group: str = "") -> None:
    os.chown(path, pwd.getpwnam(user).pw_uid, grp.getgrnam(group or user).gr_gid, follow_symlinks=False)


def owner(path: Path) -> tuple[str, str]:
    seen = path.lstat()
    return pwd.getpwuid(seen.st_uid).pw_name, grp.getgrgid(seen.st_gid).gr_name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of the old user: a file, one of somebody else, one of the old user with another group, a way out."""
    folder = tmp_path / "data"
    (folder / "repo/deep").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (folder / "repo/link").symlink_to(outside / "file")
    (folder / "repo/folder").symlink_to(outside)
    for name in ("lock", "repo/deep/file", "shared", "others"):
        (folder / name).touch()
    for path in (folder, *folder.rglob("*"), outside, outside / "file"):
        own(path, OLD)
    own(folder / "others", OTHER)
    own(folder / "shared", OLD, "staff")
    return folder


@pytest.fixture
def hand_over(data: Path) -> Run:
    """Run the module as Ansible does; its result."""

    def run(*, check: bool = False, sources: tuple[str, ...] = (OLD,), group: str = NEW) -> dict[str, Any]:
        arguments = {
            "sources": list(sources),
            "target": NEW,
            "folders": [{"path": str(data), "group": group}, {"path": f"{data}-missing", "group": NEW}],
            "marker": f"{data.parent}/handover.json",
            "lock": f"{data}/lock",
            "groups": ["nogroup", "nosuchgroup"],
            "_ansible_check_mode": check,
        }
        result = subprocess.run(
            [sys.executable, MODULE],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.stdout, result.stderr
        return dict(json.loads(result.stdout))

    return run


def test_what_the_old_user_had_is_the_new_ones_and_nothing_else(data: Path, hand_over: Run) -> None:
    assert hand_over()["handed"] == 8
    for path in (data, data / "lock", data / "repo/deep/file", data / "repo/link", data / "repo/folder"):
        assert owner(path) == (NEW, NEW)
    assert owner(data / "shared") == (NEW, "staff")
    assert owner(data / "others") == (OTHER, OTHER)
    # Links are handed over, and never followed.
    assert owner(data.parent / "outside") == owner(data.parent / "outside/file") == (OLD, OLD)
    assert not (data.parent / "handover.json").exists()


def test_a_folder_may_have_another_group_than_its_user(data: Path, hand_over: Run) -> None:
    hand_over(group="staff")
    assert owner(data / "repo") == (NEW, "staff")


def test_a_preview_counts_and_changes_nothing(data: Path, hand_over: Run) -> None:
    result = hand_over(check=True)
    assert (result["changed"], result["handed"]) == (True, 8)
    assert result["diff"]["after"]["owner"].startswith(NEW)
    assert owner(data) == owner(data / "repo/deep/file") == (OLD, OLD)
    assert not (data.parent / "handover.json").exists()


def test_an_account_that_is_gone_is_a_number(data: Path, hand_over: Run) -> None:
    os.chown(data / "repo/deep/file", 54321, 54321)
    assert hand_over(sources=("54321", OLD))["handed"] == 8
    assert owner(data / "repo/deep/file") == (NEW, NEW)


def test_an_agent_that_runs_keeps_its_data_until_the_next_run(data: Path, hand_over: Run) -> None:
    with (data / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = hand_over()
    assert result["failed"]
    assert result["msg"].startswith("error: the agent of the earlier user still runs\nfix: ")
    assert owner(data) == (OLD, OLD)
    # The next run knows by this file what is left to be done.
    assert json.loads((data.parent / "handover.json").read_text()) == {"from": [OLD], "to": NEW}
    assert hand_over()["handed"] == 8
    assert not (data.parent / "handover.json").exists()
