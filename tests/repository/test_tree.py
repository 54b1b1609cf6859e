"""The tree: small files, one version, settings and commands that the documents know."""

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from homeportd.cli.command_line import build

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
MOST_SETTINGS = 6
GENERATED = ROOT / "homeportd/ui/src/api/schema.ts"  # bin/ui-types writes it
# What roles tell one another; a person sets none of it.
INTERNAL = {"service"}
ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())


def tracked(*patterns: str) -> list[Path]:
    """Files under version control or about to be; never what a build made."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def options(role: Path) -> dict[str, object]:
    """The variables that a person may set: main's options in argument_specs."""
    spec = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    return spec["argument_specs"]["main"].get("options") or {}


def documents() -> str:
    return "\n".join(path.read_text() for path in [ROOT / "README.md", *tracked("docs/*.md")])


def test_no_source_file_is_too_long() -> None:
    sources = set(tracked("*.py", "*.ts", "*.tsx", "bin/*")) - {GENERATED}
    long = {
        str(path.relative_to(ROOT)): lines
        for path in sources
        if (lines := len(path.read_bytes().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_changelog_is_about_this_version() -> None:
    module = ast.parse((ROOT / "homeportd/src/homeportd/__init__.py").read_text())
    [version] = [
        node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    newest = re.search(r"^## \[?([0-9][^\]\s]*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version
    collection = ROOT / "collections/ansible_collections/homeport/agent/galaxy.yml"
    assert yaml.safe_load(collection.read_text())["version"] == version


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_declares_each_default_and_no_more(role: Path) -> None:
    defaults = role / "defaults/main.yml"
    declared = yaml.safe_load(defaults.read_text()) or {} if defaults.is_file() else {}
    optional = {name for name, option in options(role).items() if not option.get("required")}
    assert set(declared) == optional
    # Its value stands there alone.
    assert [name for name, option in options(role).items() if "default" in option] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_each_setting_is_documented(role: Path) -> None:
    text = documents()
    settings = set() if role.name in INTERNAL else options(role).keys() - INTERNAL
    assert sorted(name for name in settings if name not in text) == []


def test_each_variable_of_the_inventory_is_documented() -> None:
    text = documents()
    variables = yaml.safe_load((ROOT / "inventory/local/group_vars/all.yml").read_text())
    assert sorted(name for name in variables if name not in text) == []


def test_each_command_is_documented() -> None:

    def names(command: object, path: str) -> list[str]:
        inner = getattr(command, "commands", None)
        if not inner:
            return [path]
        return [
            found for name, sub in inner.items() if not sub.hidden for found in names(sub, f"{path} {name}")
        ]

    text = documents()
    assert [name for name in names(get_command(build()), "homeport") if name not in text] == []


def test_nothing_committed_names_a_developers_machine() -> None:
    own = str(ROOT)
    home = str(Path.home())
    guilty = []
    for path in tracked():
        text = path.read_bytes()
        if own.encode() in text or (home not in {"/", "/root"} and f"{home}/".encode() in text):
            guilty.append(str(path.relative_to(ROOT)))
    assert guilty == []
