"""The collection as an archive, for other repositories."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from .conftest import COLLECTIONS

BIN = Path(sys.executable).parent
NAME = Path("ansible_collections/homeport/agent")
# What tools leave in a checkout.
LEFT = (
    "plugins/modules/__pycache__/absent.cpython-311.pyc",
    "tests/output/junit/units.xml",
    ".ansible/lock",
    ".mypy_cache/a.json",
    ".pytest_cache/README.md",
)


def run(folder: Path, *command: str | Path) -> bytes:
    """What a program of Ansible prints, with its default settings and collections below `folder` alone."""
    (folder / "ansible.cfg").touch()
    env = {
        **os.environ,
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder),
    }
    return subprocess.run(
        [BIN / command[0], *command[1:]], env=env, stdout=subprocess.PIPE, timeout=300, check=True
    ).stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a checkout in which tools have run."""
    folder = tmp_path_factory.mktemp("checkout")
    shutil.copytree(COLLECTIONS / NAME, folder / "agent", ignore=shutil.ignore_patterns("output"))
    for name in LEFT:
        (folder / "agent" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "agent" / name).touch()
    run(folder, "ansible-galaxy", "collection", "build", folder / "agent", "--output-path", folder)
    [made] = folder.glob("homeport-agent-*.tar.gz")
    return made


def test_the_archive_has_the_plugins_and_nothing_that_tools_left(archive: Path) -> None:
    listed = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "plugins",
        "meta",
        "README.md",
    ]
    sources = subprocess.run(
        listed, cwd=COLLECTIONS / NAME, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    with tarfile.open(archive) as packed:
        files = {member.name for member in packed if member.isfile()}
    assert files == {*sources, "MANIFEST.json", "FILES.json"}


def test_the_archive_is_installed_and_its_plugins_are_found(archive: Path, tmp_path: Path) -> None:
    run(
        tmp_path,
        "ansible-galaxy",
        "collection",
        "install",
        archive,
        "--offline",
        "--collections-path",
        tmp_path,
    )
    name = "homeport.agent.preflight"
    found = json.loads(run(tmp_path, "ansible-doc", "--json", "--type", "module", name))
    assert found[name]["doc"]["filename"].startswith(str(tmp_path))
