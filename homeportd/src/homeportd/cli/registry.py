"""What a module of `cli/commands` adds to the command line: `Commands` at the top, or a `Group` with a name of its own.

A module makes one (or both) and registers its functions by their decorator `command`; `load` finds the modules by
listing their package, so that a new command is a new file and a line nowhere else. Typer is not imported here: the
commands of `cli/commands/fast` run without it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final, TypeVar

from homeportd.cli.errors import EXIT_CODES

LAST: Final = 1000  # position of commands that name none

Codes = tuple[tuple[int, str], ...]
_Function = TypeVar("_Function", bound=Callable[..., None])


@dataclass(frozen=True)
class Command:
    """One command: its name, the function behind it, whose docstring is the help, and whole lines as examples."""

    name: str
    function: Callable[..., None]
    examples: tuple[str, ...]


class Commands:
    """The top-level commands of a module, in the order of their functions.

    `position`: where they stand in the help, lower first. `exit_codes`: those that the help of each names.
    `plain`: the functions take `json: bool` and nothing else, without Typer's annotations.
    """

    def __init__(self, *, position: int = LAST, exit_codes: Codes = EXIT_CODES, plain: bool = False) -> None:
        self.position = position
        self.exit_codes = exit_codes
        self.plain = plain
        self.commands: list[Command] = []

    def command(self, name: str, *examples: str) -> Callable[[_Function], _Function]:
        """Register the decorated function, which stays as it is."""

        def register(function: _Function) -> _Function:
            self.commands.append(Command(name, function, examples))
            return function

        return register


class Group(Commands):
    """Commands below a name: `homeport NAME COMMAND`. `alone`: the command that runs where none is named."""

    def __init__(
        self, name: str, help: str, *, alone: str, position: int = LAST, exit_codes: Codes = EXIT_CODES
    ) -> None:
        super().__init__(position=position, exit_codes=exit_codes)
        self.name = name
        self.help = help
        self._alone = alone

    @property
    def alone(self) -> Command:
        """The command that runs where none is named; it takes `json`."""
        return next(command for command in self.commands if command.name == self._alone)


def load(package: ModuleType) -> Iterator[Commands]:
    """What each module of a package adds, in the order of the modules' names."""
    for module in modules(package):
        yield from (value for value in vars(module).values() if isinstance(value, Commands))


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Import the modules of a package, in the order of their names."""
    # pkgutil would do this, and takes longer to import than a whole command may.
    names = {file.stem for folder in package.__path__ for file in Path(folder).glob("*.py")}
    for name in sorted(names - {"__init__"}):
        yield importlib.import_module(f"{package.__name__}.{name}")
