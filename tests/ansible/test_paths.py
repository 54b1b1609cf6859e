"""The module that makes folders, files and links, run as Ansible runs it."""

import getpass
import grp
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import PLUGINS

MODULE = PLUGINS / "modules/paths.py"
OWN = {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


def row(path: Path, mode: str = "", **more: str) -> dict[str, str]:
    return {"path": str(path), "mode": mode, **OWN, **more}


def make(*, check: bool = False, **given: Any) -> dict[str, Any]:
    arguments = {**given, "_ansible_check_mode": check, "_ansible_diff": True}
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


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(folder: Path) -> dict[str, Any]:
    """What a run makes: three folders, a log, and a link."""
    return {
        "folders": [
            row(folder / "a", "0750"),
            row(folder / "a/b", "2700"),
            {**row(folder / "c"), "group": ""},
        ],
        "files": [row(folder / "a/log", "0640")],
        "links": [{"path": str(folder / "c/command"), "target": "../a/b/program"}],
    }


def test_a_run_makes_what_its_preview_announced_and_a_second_one_nothing(tmp_path: Path) -> None:
    given = everything(tmp_path)
    preview = make(check=True, **given)
    assert list(tmp_path.iterdir()) == []
    made = make(**given)
    paths = [entry["path"] for rows in given.values() for entry in rows]
    assert (made["changed"], made["changed_paths"], preview["changed_paths"]) == (True, paths, paths)
    assert f"    {tmp_path}/a: absent → folder\n" in preview["diff"]["prepared"]
    assert (mode(tmp_path / "a"), mode(tmp_path / "a/b"), mode(tmp_path / "a/log")) == (0o750, 0o2700, 0o640)
    assert str((tmp_path / "c/command").readlink()) == "../a/b/program"
    for check in (True, False):
        again = make(check=check, **given)
        assert (again["changed"], again["changed_paths"]) == (False, [])


def test_what_is_there_keeps_its_content_and_gets_its_mode(tmp_path: Path) -> None:
    given = everything(tmp_path)
    make(**given)
    (tmp_path / "a/log").write_text("kept")
    (tmp_path / "a/log").chmod(0o666)
    (tmp_path / "a/b").chmod(0o755)
    (tmp_path / "c/command").unlink()
    (tmp_path / "c/command").symlink_to("elsewhere")
    changed = [f"{tmp_path}/a/b", f"{tmp_path}/a/log", f"{tmp_path}/c/command"]
    preview = make(check=True, **given)
    assert preview["changed_paths"] == changed
    assert "a/log: mode 0666 → 0640\n" in preview["diff"]["prepared"]
    assert "c/command: elsewhere → ../a/b/program\n" in preview["diff"]["prepared"]
    assert mode(tmp_path / "a/log") == 0o666
    assert make(**given)["changed_paths"] == changed
    assert ((tmp_path / "a/log").read_text(), mode(tmp_path / "a/log")) == ("kept", 0o640)
    assert mode(tmp_path / "a/b") == 0o2700


def test_a_preview_knows_accounts_that_are_not_there_yet(tmp_path: Path) -> None:
    rows = [row(tmp_path, "0700", owner="nobody-here-yet", group="neither-this")]
    assert make(check=True, folders=rows)["changed"] is (mode(tmp_path) != 0o700)
    failed = make(folders=rows)
    assert failed["failed"]


@pytest.mark.parametrize(("kind", "word"), [("folders", "no folder"), ("files", "no file")])
def test_what_stands_in_the_way_is_left_and_named(tmp_path: Path, kind: str, word: str) -> None:
    path = tmp_path / "here"
    path.symlink_to("/etc/passwd")
    before = mode(Path("/etc/passwd"))
    failed = make(**{kind: [row(path, "0600")]})
    assert failed["msg"].startswith(
        f"error: {path} cannot be made: it is {word}\nfix: look at it (ls -ld {path})"
    )
    assert mode(Path("/etc/passwd")) == before


def test_a_file_in_the_place_of_a_link_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "command").write_text("a person's own")
    links = [{"path": str(tmp_path / "command"), "target": "program"}]
    assert "it is no symbolic link" in make(links=links)["msg"]
    assert (tmp_path / "command").read_text() == "a person's own"
