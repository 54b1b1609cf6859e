"""What a run says so that the person gets on: the line for their shell, the command that they typed."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from .conftest import plugin

Advice = Callable[[str, dict[str, str]], list[str]]


@pytest.fixture(scope="module")
def panel() -> ModuleType:
    return plugin("action.panel")


@pytest.fixture(scope="module")
def lookup() -> ModuleType:
    return plugin("lookup.command_typed")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the command of an installation without root."""
    command = tmp_path / ".local/bin/homeport"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    return tmp_path


def advice(panel: ModuleType, home: Path, path: str, shell: str) -> list[str]:
    environment = {
        "HOME": str(home),
        "PATH": "/venv",
        "HOMEPORT_SITE_PATH": path,
        "HOMEPORT_SITE_SHELL": shell,
    }
    return list(panel.path_advice(f"{home}/.local/bin/homeport", environment))


@pytest.mark.parametrize(
    ("shell", "line", "file"),
    [
        ("bash", 'export PATH="$HOME/.local/bin:$PATH"', "~/.profile"),
        ("sh", 'export PATH="$HOME/.local/bin:$PATH"', "~/.profile"),
        ("zsh", 'export PATH="$HOME/.local/bin:$PATH"', "~/.zshrc"),
        ("fish", "set -gx PATH $HOME/.local/bin $PATH", "~/.config/fish/config.fish"),
    ],
)
def test_the_line_is_the_shells_own(panel: ModuleType, home: Path, shell: str, line: str, file: str) -> None:
    first, second = advice(panel, home, "/usr/bin", shell)
    assert first == line
    assert file in second


def test_debians_profile_does_it_at_the_next_login(panel: ModuleType, home: Path) -> None:
    (home / ".profile").write_text('if [ -d "$HOME/.local/bin" ] ; then\n')
    assert "log in later" in advice(panel, home, "/usr/bin", "bash")[1]
    assert "~/.zshrc" in advice(panel, home, "/usr/bin", "zsh")[1]


def test_no_line_where_the_command_is_found(panel: ModuleType, home: Path) -> None:
    assert advice(panel, home, f"/usr/bin:{home}/.local/bin", "bash") == []
    # Another one is found first: that of an installation with root, say.
    other = home / "other"
    other.mkdir()
    (other / "homeport").symlink_to("/bin/true")
    assert advice(panel, home, f"{other}:{home}/.local/bin", "bash") != []


@pytest.mark.parametrize(
    ("arguments", "by_site", "command"),
    [
        (["/x/site.yml"], True, "bin/site"),
        (
            ["/x/site.yml", "-i", "inventory/my own", "-e", "password=secret"],
            True,
            "bin/site -i 'inventory/my own'",
        ),
        (["site.yml", "--limit=vps", "-vv"], False, "ansible-playbook site.yml --limit=vps"),
        (["-l", "vps", "-e", "@vars.yml", "site.yml"], False, "ansible-playbook -l vps site.yml"),
    ],
)
def test_the_command_is_as_typed_but_for_what_is_secret(
    lookup: ModuleType, arguments: list[str], by_site: bool, command: str
) -> None:
    assert lookup.typed(arguments, by_site) == command
