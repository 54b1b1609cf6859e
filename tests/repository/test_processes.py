"""How tests are dealt to processes, and how two runs of bin/test share one .venv-test."""

import fcntl
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from testing import installation

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture(scope="module")
def dealing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("conftest_of_tests", CONFTEST)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_file_is_dealt_to_one_process_and_that_of_machines_by_machine(dealing: ModuleType) -> None:
    scheduler = dealing.ByMachine.__new__(dealing.ByMachine)

    def processes(*tests: str) -> int:
        return len({scheduler._split_scope(test) for test in tests})

    assert processes("tests/a/test_x.py::test_one", "tests/a/test_x.py::test_two[root]") == 1
    assert processes("tests/a/test_x.py::test_one", "tests/a/test_y.py::test_one") == 2
    life = ("test_preview", "test_install", "test_removal")
    for machine in ("root", "user"):
        assert processes(*(f"tests/site/test_bare.py::{name}[{machine}]" for name in life)) == 1
    assert processes(*(f"tests/site/test_bare.py::test_preview[{name}]" for name in ("root", "user"))) == 2
    # A file of one machine has no parameter.
    assert processes(*(f"tests/site/test_upgrade.py::{name}" for name in life)) == 1


def test_files_with_slow_tests_are_begun_first(dealing: ModuleType) -> None:
    def item(path: str, name: str, *marks: str) -> SimpleNamespace:
        return SimpleNamespace(path=path, name=name, get_closest_marker=lambda mark: mark in marks)

    items = [item("a", "1"), item("b", "2"), item("b", "3", "slow"), item("c", "4")]
    dealing.pytest_collection_modifyitems(items)
    assert [each.name for each in items] == ["2", "3", "1", "4"]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What `install_tools` makes, in a folder of this test's."""
    found: list[str] = []
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setattr(installation, "TOOLS", tools)
    monkeypatch.setattr(installation, "LOGS", tmp_path)
    monkeypatch.setattr(installation, "POLL_S", 0.01)
    monkeypatch.setattr(installation, "make_tools", lambda locks: found.append("made"))
    return found


def test_tools_are_made_once_for_a_lock(made: list[str]) -> None:
    installation.install_tools()
    installation.install_tools()  # while the first one's process still holds them
    assert made == ["made"]


def test_tools_that_another_run_uses_are_made_when_it_has_ended(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "tools.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        monkeypatch.setattr(installation, "BUSY_S", 0.05)
        with pytest.raises(SystemExit, match="another process of this checkout uses"):
            installation.install_tools()
        assert made == []
        monkeypatch.setattr(installation, "BUSY_S", 60)
        waiting = threading.Thread(target=installation.install_tools)
        capsys.readouterr()
        waiting.start()
        while "waits for another bin/test" not in capsys.readouterr().err:
            assert waiting.is_alive()
        assert made == []
    waiting.join(60)
    assert made == ["made"]
