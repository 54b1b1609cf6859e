"""Commands register themselves: a module in the package is a command, and no other file names it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import homeportd
from homeportd.cli import commands
from homeportd.cli.commands import fast
from homeportd.cli.registry import LAST, Commands, Group, load

WEATHER = '''
"""The command for the weather."""

from homeportd.cli.options.arguments import Json
from homeportd.cli.output.terminal import write
from homeportd.cli.registry import Commands, Group

commands = Commands()
group = Group("clouds", "Look at clouds.", alone="list")


@commands.command("weather", "homeport weather")
def weather(json: Json = False) -> None:
    """Say how the weather is."""
    write(["sunny"])


@group.command("list", "homeport clouds list")
def list_clouds(json: Json = False) -> None:
    """List the clouds."""
    write(["none"])
'''
TIDE = '''
"""The command for the tide."""

import sys

from homeportd.cli.output.terminal import write
from homeportd.cli.registry import Commands

commands = Commands(plain=True)


@commands.command("tide", "homeport tide")
def tide(json: bool) -> None:
    """Say how the tide is."""
    write(["typer" if "typer" in sys.modules else "high"])
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package with two modules more."""
    copied = tmp_path / "homeportd"
    shutil.copytree(
        Path(homeportd.__file__).parent, copied, ignore=shutil.ignore_patterns("static", "__pycache__")
    )
    (copied / "cli/commands/weather.py").write_text(WEATHER)
    (copied / "cli/commands/fast/tide.py").write_text(TIDE)
    return tmp_path


def test_a_module_that_is_dropped_in_is_a_command(package: Path) -> None:
    def homeport(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "homeportd.cli", *arguments],
            env=os.environ | {"PYTHONPATH": str(package)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    page = homeport("--help")
    assert "  weather       Say how the weather is.\n" in page
    assert "  clouds        Look at clouds.\n" in page
    assert "  tide          Say how the tide is.\n" in page
    assert homeport("weather") == "sunny\n"
    assert homeport("clouds") == homeport("clouds", "list") == "none\n"
    assert "  homeport clouds list\n" in homeport("clouds", "--help")
    assert homeport("tide") == homeport("tide", "--json") == "high\n"


def test_each_module_registers_something_at_a_position_of_its_own() -> None:
    top = [each for each in (*load(fast), *load(commands)) if not isinstance(each, Group)]
    groups = [each for each in load(commands) if isinstance(each, Group)]
    for found in (top, groups):
        positions = [each.position for each in found]
        assert len(set(positions)) == len(positions)
        assert max(positions) < LAST
    for each in (*top, *groups):
        assert each.commands
        assert all(command.function.__doc__ and command.examples for command in each.commands)


def test_a_group_names_the_command_that_it_runs_alone() -> None:
    for group in (each for each in load(commands) if isinstance(each, Group)):
        assert group.alone in group.commands


def test_fast_commands_are_plain() -> None:
    assert all(type(each) is Commands and each.plain for each in load(fast))
