"""The command line `homeport`: a client of the agent, which it knows by its API alone."""

from __future__ import annotations

import os
import sys

from homeportd.cli.errors import CLOSED_PIPE, INTERRUPTED, USAGE, ClosedPipe, Failure

COMPLETING = "_HOMEPORT_COMPLETE"  # set by the completion scripts that Typer installs


def main() -> int:
    """Run one command; returns the exit code, see `errors`."""
    _open_missing()
    try:
        return _run(sys.argv[1:])
    except Failure as failure:
        return _print(failure)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        return INTERRUPTED
    except ClosedPipe:
        return CLOSED_PIPE


def _open_missing() -> None:
    """Open /dev/null in place of a standard stream that is closed (`>&-`), so that no file gets its descriptor."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - for as long as we run
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123


def _run(arguments: list[str]) -> int:
    if len(arguments) in (1, 2) and arguments[1:] in ([], ["--json"]) and COMPLETING not in os.environ:
        from homeportd.cli.commands import fast
        from homeportd.cli.registry import load

        for each in load(fast):
            for command in each.commands:
                if command.name == arguments[0]:
                    command.function(bool(arguments[1:]))
                    return 0

    if arguments[:1] == ["git-credential"]:  # not for people, and git waits for it
        from homeportd.cli import git_credential

        return git_credential.run(arguments[1:])

    import typer

    from homeportd.cli.command_line import build

    try:
        code = build()(arguments or ["--help"], prog_name="homeport", standalone_mode=False)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort:
        return INTERRUPTED
    except typer.TyperException as error:
        raise _usage(error, arguments) from error
    return code if isinstance(code, int) else 0


def _usage(error: Exception, arguments: list[str]) -> Failure:
    """The Failure for wrong arguments; its fix is the help page."""
    message = str(getattr(error, "format_message", error.__str__)()).strip()
    context = getattr(error, "ctx", None)
    command = getattr(context, "command_path", "homeport")
    has_value = "--password" in arguments and "unexpected extra argument" in message
    if has_value or any(text.startswith("--password=") for text in arguments):
        return Failure(
            "--password takes no value: other users can read what is on a command line",
            "leave it out, and you are asked; choose another one, the shell's history has kept this one",
            USAGE,
        )
    return Failure(message, f"{command} --help", USAGE)


def _print(failure: Failure) -> int:
    from homeportd.cli.output.terminal import clean  # only a failure needs it

    sys.stdout.flush()
    sys.stderr.write(f"error: {clean(failure.detail)}\nfix: {clean(failure.fix)}\n")
    return failure.code
