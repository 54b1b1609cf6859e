"""bin/real-parts: parts are made whole or not at all, go on where they ended, and are looked at before use."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from third_party import cache, making
from third_party.catalogue import PARTS, QUICK_S, quick, with_needs
from third_party.making import PartError, TimeIsUp, make
from third_party.model import LOCKS, Part, Step

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "bin" / "real-parts"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of the test's own."""
    made = tmp_path / "parts"
    monkeypatch.setenv("HOMEPORT_PARTS", str(made))
    return made


def sh(title: str, script: str, **more: str) -> Step:
    return Step(title, ("sh", "-euc", script), **more)


def recipe(*steps: Step, version: str = "1", programs: tuple[str, ...] = ("bin/tool",), **more) -> Part:
    return Part("tool", version, "a tool", steps, programs, seconds=1, megabytes=1, **more)


TOOL = sh("write it", "mkdir -p bin; echo tool > bin/tool; ln -s tool bin/link")


def ignore(_title: str, _seconds: float | None) -> None:
    pass


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_a_part_is_made_into_a_folder_of_its_version(folder):
    part = recipe(TOOL)
    assert cache.state(part).name == "missing"
    make(part, ignore)
    assert cache.state(part, thorough=True).name == "made"
    assert (cache.path_of(part) / "bin/tool").read_text() == "tool\n"
    assert cache.path_of(part).parent == folder / "tool"
    assert list((folder / ".making").iterdir()) == []


def test_what_is_made_is_not_made_again_and_another_recipe_replaces_it(folder):
    part = recipe(TOOL)
    make(part, ignore)
    began = (cache.path_of(part) / "bin/tool").stat().st_mtime_ns
    assert make(part, ignore) == 0
    assert (cache.path_of(part) / "bin/tool").stat().st_mtime_ns == began
    other = recipe(TOOL, version="2")
    make(other, ignore)
    assert [path.name for path in (folder / "tool").iterdir()] == [cache.path_of(other).name]


def test_what_an_earlier_recipe_began_goes_too(folder):
    with pytest.raises(PartError):
        make(recipe(sh("fail", "exit 1"), version="0"), ignore)
    make(recipe(TOOL), ignore)
    assert list((folder / ".making").iterdir()) == []


def test_it_goes_on_with_the_step_that_failed(folder, tmp_path):
    """The part is not there meanwhile, for it has its folder only when it is whole."""
    here = tmp_path / "there is a network now"
    part = recipe(
        TOOL, sh("count", "echo x >> bin/count"), sh("fetch", f'test -e "{here}" && touch bin/more')
    )
    with pytest.raises(
        PartError, match=r"error: fetch ended with 1\nfix: read .*log; bin/real-parts tool goes on"
    ):
        make(part, ignore)
    assert cache.state(part).name == "begun"
    assert not cache.path_of(part).exists()
    here.touch()
    titles: list[str] = []
    make(part, lambda title, seconds: titles.append(title) if seconds is not None else None)
    assert titles == ["fetch"]
    assert (cache.path_of(part) / "bin/count").read_text() == "x\n"


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        (lambda part: (part / "bin/tool").write_text("t00l\n"), "bin/tool has another content"),
        (lambda part: (part / "bin/tool").write_text("to"), "bin/tool has another size"),
        (lambda part: (part / "bin/tool").unlink(), "bin/tool: No such file"),
        (lambda part: (part / cache.MANIFEST).unlink(), "is missing"),
        (lambda part: (part / cache.MANIFEST).write_text("{"), "not readable"),
    ],
)
def test_a_damaged_part_is_noticed_and_made_anew(damage, noticed):
    part = recipe(TOOL)
    make(part, ignore)
    damage(cache.path_of(part))
    state = cache.state(part)
    assert state.name == "damaged"
    assert noticed in state.problem
    make(part, ignore)
    assert cache.state(part).name == "made"


def test_damage_beside_the_programs_is_found_by_reading_all():
    part = recipe(TOOL, sh("more", "echo data > data"))
    make(part, ignore)
    (cache.path_of(part) / "data").write_text("dada\n")
    assert cache.state(part).name == "made"
    assert cache.state(part, thorough=True).problem == "data has another content"


def test_another_checksum_than_the_catalogue_has_is_an_error():
    with pytest.raises(PartError, match="is not what it was"):
        make(recipe(sh("download", 'echo \'"Sum": "h1:other"\'', prints='"Sum": "h1:known"')), ignore)


def test_a_recipe_that_leaves_no_program_is_an_error():
    with pytest.raises(PartError, match="left no bin/tool"):
        make(recipe(sh("nothing", "true")), ignore)


def test_a_tool_that_is_missing_is_named_before_anything_is_done(folder, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PartError, match=r"error: there is no go to make tool with\nfix: install Go"):
        make(recipe(TOOL, tools=("go",)), ignore)
    assert not folder.exists()


def test_without_a_network_it_says_so():
    said = "dial tcp: lookup proxy.example: no such host"
    with pytest.raises(PartError, match=r"fix: the index of packages cannot be reached: check the network"):
        make(recipe(sh("download", f"echo {said}; exit 1")), ignore)


def runs(pid: str) -> bool:
    """Whether a process has not ended, though its parent may not have asked yet how it did."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def test_a_step_ends_at_the_deadline_with_all_that_it_started(tmp_path):
    pid = tmp_path / "pid"
    part = recipe(sh("for ever", f"sleep 600 & echo $! > {pid}; wait"))
    began = time.monotonic()
    with pytest.raises(TimeIsUp, match="took longer than"):
        make(part, ignore, began + 1)
    assert time.monotonic() - began < making.END_S
    while runs(pid.read_text().strip()):  # a killed process is scheduled once more to end
        assert time.monotonic() - began < making.END_S
        time.sleep(0.01)


def test_two_runs_make_it_once(folder, tmp_path):
    """The second waits for the first, and finds the part there."""
    script = f"""
import sys
sys.path[:0] = [{str(ROOT / "bin")!r}]
from third_party.making import make
from third_party.model import Part, Step
step = Step("count", ("sh", "-euc", "sleep 0.5; mkdir bin; echo x >> {tmp_path}/made; touch bin/tool"))
make(Part("tool", "1", "", (step,), ("bin/tool",), 1, 1), lambda title, seconds: None)
"""
    runs = [subprocess.Popen([sys.executable, "-B", "-c", script]) for _ in range(2)]
    assert [each.wait(60) for each in runs] == [0, 0]
    assert (tmp_path / "made").read_text() == "x\n"


def test_the_list_has_every_part_and_what_it_takes():
    listed = json.loads(run("--list", "--json").stdout)
    assert [each["name"] for each in listed] == list(PARTS)
    assert all(each["state"] == "missing" and each["seconds"] and each["bytes"] for each in listed)
    assert len(run("--list").stdout.splitlines()) == len(PARTS) + 3


def test_wrong_names_and_missing_parts_are_errors_with_their_fixes():
    wrong = run("giteaa")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "error: there is no part giteaa\nfix: bin/real-parts --list\n",
    )
    missing = run("--path", "gitea")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "error: gitea is not made\nfix: bin/real-parts gitea\n"
    assert run().returncode == 2


def test_what_no_time_is_left_for_is_named():
    result = run("gitea", "portless", "--limit", "0")
    assert result.returncode == 3
    for name in ("gitea", "node", "portless"):
        assert re.search(rf"^left out: {name} \(.*\); about .*: bin/real-parts {name}$", result.stdout, re.M)


def test_another_failure_is_none_of_time(monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}")  # without go
    result = run("frp", "--limit", "600")
    assert (result.returncode, "there is no go to make frp with" in result.stderr) == (1, True)


def test_quick_parts_take_under_five_minutes_with_what_they_need():
    chosen = quick()
    assert sum(part.seconds for part in chosen) <= QUICK_S
    assert set(with_needs([part.name for part in chosen])) == set(chosen)
    assert {"node", "portless", "opencode"} <= {part.name for part in chosen}


@pytest.mark.parametrize("name", sorted(path.name for path in LOCKS.iterdir()))
def test_a_lock_pins_the_version_by_checksums_and_names_no_index(name):
    lock = json.loads((LOCKS / name / "package-lock.json").read_text())
    wanted = json.loads((LOCKS / name / "package.json").read_text())["dependencies"]
    packages = {path: each for path, each in lock["packages"].items() if path}
    assert lock["packages"][""]["dependencies"] == wanted
    assert list(wanted.values()) == [PARTS[name].version]
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert not any("resolved" in each for each in packages.values())
