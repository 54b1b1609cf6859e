"""The commands of `homeport`, put together: names, examples, help.

Help is plain text, also on a terminal: it is read in half the time that Rich needs to be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer
from typer.core import TyperArgument, TyperCommand

from homeportd import __version__
from homeportd.cli.commands import doctor, logins, overviews, shares, tunnel_commands
from homeportd.cli.errors import EXIT_CODES, TUNNEL_EXIT_CODES
from homeportd.cli.options.arguments import Json

Examples = tuple[str, ...]
Codes = tuple[tuple[int, str], ...]


def _with_json(function: Callable[[bool], None]) -> Callable[..., None]:
    """A command whose one option is --json."""

    def command(json: Json = False) -> None:
        function(json)

    command.__doc__ = function.__doc__
    return command


_COMMANDS: Final[tunnel_commands.Commands] = (
    ("list", _with_json(overviews.by_repo), ("homeport list", "homeport list --json | jq '.ports[].url'")),
    ("ports", _with_json(overviews.ports), ("homeport ports", "homeport ports --json | jq '.[].port'")),
    (
        "share",
        shares.share,
        (
            "homeport share 5173 --password --expires 24h",
            "homeport share 5173 --password-stdin < password.txt",
            "homeport share 5173 --public --allow 203.0.113.0/24",
            "homeport share 5173 --expires 7d",
            "homeport share 5173 --public --via edge",
            "homeport share 9229 --public --yes",
        ),
    ),
    ("unshare", shares.unshare, ("homeport unshare 5173",)),
    ("url", shares.url, ("homeport url 5173", 'curl "$(homeport url 5173)"')),
    ("logs", shares.logs, ("homeport logs 5173", "homeport logs 5173 -n 100 -f")),
    ("status", _with_json(overviews.status), ("homeport status", "homeport status --json | jq .system")),
    ("login-link", logins.login_link, ("homeport login-link",)),
    ("password", logins.password, ("homeport password", "homeport password --password-stdin < password.txt")),
    ("doctor", doctor.doctor, ("homeport doctor", "homeport doctor 5173")),
)
_TOKEN_COMMANDS: Final[tunnel_commands.Commands] = (
    (
        "create",
        logins.create_token,
        (
            "homeport token create ci",
            "TOKEN=$(homeport token create ci | tail -n 1)",
            "homeport token create laptop --scope tunnel",
            "homeport token create phone --scope tunnel --edge",
        ),
    ),
    ("list", logins.list_tokens, ("homeport token list",)),
    ("revoke", logins.revoke_token, ("homeport token revoke ID",)),
    (
        "rotate",
        logins.rotate_token,
        ("homeport token rotate ID --grace 10m", "homeport token rotate ID --edge | tail -n 1"),
    ),
)


def build() -> typer.Typer:
    """The whole command line."""
    app = _group(
        "See your dev servers, share them, give them public addresses, know who came.",
        (
            "homeport list",
            "homeport share 5173 --password --expires 24h",
            "homeport http 3000 --domain myapp",
        ),
        name="homeport",
        completion=True,
    )
    app.callback()(_root)
    _add(app, _COMMANDS, EXIT_CODES)
    # The commands about tunnels have more exit codes than the others.
    _add(app, tunnel_commands.TOP, TUNNEL_EXIT_CODES)
    tokens = ("token", "Make, list, replace and revoke tokens.", _TOKEN_COMMANDS)
    alone = tunnel_commands.ALONE | {"token": lambda json: logins.list_tokens(json=json)}
    for name, help_text, commands in (tokens, *tunnel_commands.GROUPS):
        first = tuple(
            next(line for line in examples if line.startswith(f"homeport {name} "))
            for _, _, examples in commands
        )
        group = _group(help_text, first, codes=TUNNEL_EXIT_CODES)
        group.callback(invoke_without_command=True)(_alone(alone[name]))
        _add(group, commands, TUNNEL_EXIT_CODES)
        app.add_typer(group, name=name)
    return app


def _add(group: typer.Typer, commands: tunnel_commands.Commands, codes: Codes) -> None:
    for name, function, examples in commands:
        # The whole line: shells show it beside the name, and Typer would cut it.
        line = (function.__doc__ or "").partition("\n")[0]
        group.command(name, cls=_Command, short_help=line, epilog=_foot(examples, codes))(function)


class _Command(TyperCommand):
    """Its help names arguments as a person writes them: `PORT`, neither `{PORT}` nor `PORT <int>`."""

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


def _group(
    help_text: str,
    examples: Examples,
    *,
    name: str | None = None,
    completion: bool = False,
    codes: Codes = EXIT_CODES,
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


def _alone(function: Callable[[bool], None]) -> Callable[..., None]:
    """What a group does when no command of it is named: it shows what there is."""

    def callback(context: typer.Context, json: Json = False) -> None:
        if context.invoked_subcommand is None:
            function(json)
        elif json:
            raise typer.BadParameter("--json belongs behind the command")

    return callback


def _foot(examples: Examples, codes: Codes = EXIT_CODES) -> str:
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
