"""The command that makes every check, and shows what to fix."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Final

import typer

from homeportd.cli import completion
from homeportd.cli.errors import REFUSED
from homeportd.cli.options.arguments import Json, parse_port
from homeportd.cli.output.terminal import Screen, Style, clean, screen, write, write_json
from homeportd.cli.registry import Commands, modules

if TYPE_CHECKING:
    from homeportd.cli.doctor.check import Check  # pydantic: too slow for help and completion

commands = Commands(position=50)

NARROW: Final = 60  # columns, below which a fix stands at the left
INDENT: Final = 14  # columns of a mark and a name
_MARKS: Final = {
    "ok": ("✓", Style.GREEN),
    "note": ("!", Style.AMBER),
    "fail": ("✗", Style.RED),
    "skipped": ("-", Style.GREY),
}

OptionalPort = Annotated[
    int | None,
    typer.Argument(
        parser=parse_port,
        metavar="PORT",
        help="Test this port too.",
        autocompletion=completion.ports,
        show_default=False,
    ),
]


@commands.command("doctor", "homeport doctor", "homeport doctor 5173")
def doctor(port: OptionalPort = None, json: Json = False) -> None:
    """Check each part of the way, and say what to fix.

    From a browser to a dev server, and from here to the edge of tunnels. Exit code 1 when a check fails.
    """
    found = examine(port)
    failed = [check for check in found if check.state == "fail"]
    if json:
        checks = [asdict(check) for check in found]
        # `hops`: the key before December 2026, for scripts; until 0.3.
        write_json({"ok": not failed, "checks": checks, "hops": checks})
    else:
        write(report(found, screen()))
    if failed:
        raise typer.Exit(REFUSED)


def examine(port: int | None) -> list[Check]:
    """Run the steps of every module of `cli/doctor`, by their positions."""
    from homeportd.cli import doctor as package
    from homeportd.cli.doctor.check import Machine, Step, skipped

    steps: list[Step] = [step for module in modules(package) for step in getattr(module, "STEPS", ())]
    machine = Machine(port)
    found: list[Check] = []
    try:
        for step in sorted(steps, key=lambda each: each.position):
            if step.needs_settings and machine.settings is None:
                found += [] if machine.is_client_alone else skipped(*step.checks)
                continue
            _show_progress(step.subject)
            found += step.run(machine)
    finally:
        _show_progress("")
        if machine.agent is not None:
            machine.agent.close()
    return found


def report(found: list[Check], to: Screen) -> list[str]:
    """The result as a whole, then a line a check: mark, name, detail; below it the fix."""
    failed = sum(check.state == "fail" for check in found)
    result = f"{failed} of {len(found)} checks fail." if failed else "Every check passes."
    lines = [to.paint(result, Style.BOLD)]
    for check in found:
        mark, style = _MARKS[check.state]
        lines.extend(_fold(f"{to.paint(mark, style)} {check.name:<10}  ", clean(check.detail), to))
        if check.fix:
            # On a narrow screen at the left, so that the name of a setting is not folded.
            indent = INDENT if to.width is None or to.width >= NARROW else 2
            head = f"{'':<{indent}}{to.paint('fix:', Style.BOLD)} "
            lines.extend(_fold(head, clean(check.fix), to, indent + 5))
    return lines


def _fold(head: str, text: str, to: Screen, indent: int = INDENT) -> list[str]:
    """The text after its head, folded between words; `indent` is the width of the head."""
    import textwrap  # one command needs it

    room = None if to.width is None else max(16, to.width - indent)
    folded = (
        [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    )
    return [head + line if i == 0 else " " * indent + line for i, line in enumerate(folded or [""])]


def _show_progress(subject: str) -> None:
    """Show on a terminal what is being checked; erased by an empty `subject`."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        sys.stderr.write(f"\r\x1b[Kchecking {subject} …" if subject else "\r\x1b[K")
        sys.stderr.flush()
