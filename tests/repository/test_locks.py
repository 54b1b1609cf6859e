"""The locks: hashes everywhere, no index address, one version of a package in all of them."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def entries(lock: Path) -> list[str]:
    """Each requirement with its continuation lines and without comments."""
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [entry for entry in re.split(r"\n(?=\S)", "\n".join(lines).strip()) if entry]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_and_hashed(lock: Path) -> None:
    for entry in entries(lock):
        assert re.match(r"[\w.\[\]-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_an_index(lock: Path) -> None:
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|--trusted-host", lock.read_text())


def test_each_list_of_requirements_has_a_lock() -> None:
    wanted = {path.stem for path in (ROOT / "requirements").glob("*.in")}
    assert wanted == {path.stem for path in LOCKS}


def test_all_locks_agree_on_versions() -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for lock in LOCKS:
        for entry in entries(lock):
            name, version = re.match(r"([\w.-]+)(?:\[\S+\])?==(\S+)", entry).groups()
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_dashboards_lock_knows_every_platform() -> None:
    """An index without the packages of other platforms makes npm drop them; then `npm ci` refuses the lock."""
    packages = json.loads((ROOT / "homeportd/ui/package-lock.json").read_text())["packages"]
    missing = [
        name
        for where, package in packages.items()
        for name in (package.get("optionalDependencies") or {})
        if f"node_modules/{name}" not in packages and f"{where}/node_modules/{name}" not in packages
    ]
    assert missing == [], "run node homeportd/ui/scripts/complete-lock.mjs"
