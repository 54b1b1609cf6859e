"""The command line as a whole: the commands that the modules of `cli/commands` register, with their help pages.

Help is plain text, also on a terminal: it is read in half the time that Rich needs to be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand

from homeportd import __version__
from homeportd.cli import commands
from homeportd.cli.commands import fast
from homeportd.cli.errors import EXIT_CODES
from homeportd.cli.options.arguments import Json
from homeportd.cli.registry import Codes, Command, Commands, Group, load


def build() -> typer.Typer:
    """The whole command line: top-level commands by their position, then groups by theirs."""
    found = sorted([*load(fast), *load(commands)], key=lambda each: (isinstance(each, Group), each.position))
    app = _typer(
        "See your dev servers, share them, give them public addresses, know who came.",
        (
            "homeport list",
            "homeport share 5173 --password --expires 24h",
            "homeport http 3000 --domain myapp",
        ),
        EXIT_CODES,
        name="homeport",
        completion=True,
    )
    app.callback()(_root)
    for each in found:
        if isinstance(each, Group):
            app.add_typer(_group(each), name=each.name)
        else:
            _add(app, each)
    return app


def _group(group: Group) -> typer.Typer:
    """A group, whose help has the first example of each command."""
    examples = tuple(
        next(line for line in command.examples if line.startswith(f"homeport {group.name} "))
        for command in group.commands
    )
    made = _typer(group.help, examples, group.exit_codes)
    made.callback(invoke_without_command=True)(_alone(group.alone))
    _add(made, group)
    return made


def _add(to: typer.Typer, commands: Commands) -> None:
    for command in commands.commands:
        function = _with_json(command) if commands.plain else command.function
        # The whole line: shells show it beside the name, and Typer would cut it.
        line = (function.__doc__ or "").partition("\n")[0]
        foot = _foot(command.examples, commands.exit_codes)
        to.command(command.name, cls=_Command, short_help=line, epilog=foot)(function)


def _with_json(command: Command) -> Callable[..., None]:
    """A plain command's function with the option --json."""

    def function(json: Json = False) -> None:
        command.function(json)

    function.__doc__ = command.function.__doc__
    return function


class _Command(TyperCommand):
    """A command whose help names arguments as a person writes them: `PORT`, neither `{PORT}` nor `PORT <int>`."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        for parameter in self.params:
            if isinstance(parameter, TyperArgument):
                _write_plainly(parameter)


def _write_plainly(argument: TyperArgument) -> None:
    name = argument.display_name_raw + ("..." if argument.nargs != 1 else "")
    usage = [name if argument.required else f"[{name}]"]
    argument.get_usage_pieces = lambda ctx: usage  # type: ignore[method-assign]
    argument.display_type_rich = lambda ctx: None  # type: ignore[method-assign]


def _typer(
    help_text: str,
    examples: tuple[str, ...],
    codes: Codes,
    *,
    name: str | None = None,
    completion: bool = False,
) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=help_text,
        epilog=_foot(examples, codes),
        add_completion=completion,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def _alone(command: Command) -> Callable[..., None]:
    """The callback of a group: it runs `command` where no command is named."""

    def callback(context: typer.Context, json: Json = False) -> None:
        if context.invoked_subcommand is None:
            command.function(json=json)
        elif json:
            raise typer.BadParameter("--json belongs behind the command")

    return callback


def _foot(examples: tuple[str, ...], codes: Codes) -> str:
    """The foot of a help page. A line with a backspace alone keeps the paragraph after it as it is."""
    meanings = (f"{code:>4}  {meaning}" for code, meaning in codes)
    return "\n".join(
        ("\b", "Examples:", *(f"  {line}" for line in examples), "", "\b", "Exit codes:", *meanings)
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"homeport {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of the command line as a whole; `version` is spent by its callback."""
