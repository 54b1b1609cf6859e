"""Every help page: whole sentences, arguments as a person writes them, examples that are right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from homeportd.cli.command_line import build


def every(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from every(child, f"{path} {name}")


WHOLE = typer.main.get_command(build())
PAGES = dict(every(WHOLE, "homeport"))


def page_of(path: str) -> str:
    context = typer.Context(PAGES[path], info_name=path, terminal_width=80)
    return str(PAGES[path].get_help(context))


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_cut_short_and_no_type_of_python_is_named(path) -> None:
    page = page_of(path)

    assert "..." not in page.replace("[ARGS]...", "").replace("TARGET...", "")
    assert not re.search(r"<\w|\{[A-Z]", page.partition("Examples:")[0])
    assert "Exit codes:" in page
    # Beside the name, where a shell completes it.
    assert path == "homeport" or "..." not in PAGES[path].get_short_help_str()


@pytest.mark.parametrize("path", PAGES)
def test_each_example_is_taken(path) -> None:
    examples = page_of(path).partition("Examples:")[2].partition("Exit codes:")[0].strip().splitlines()

    assert examples
    for example in examples:
        found = re.search(r"homeport [^|<)\"]+", example)
        assert found, example
        command, words = WHOLE, shlex.split(found[0])[1:]
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("homeport", words)  # raises what a person would be told


@pytest.mark.parametrize("path", [path for path in PAGES if path != "homeport daemon run"])
def test_each_command_has_json(path) -> None:
    page = page_of(path)

    assert path == "homeport" or "  --json" in page
