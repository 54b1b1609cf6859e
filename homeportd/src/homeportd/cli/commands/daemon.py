"""Commands that start and stop the tunnel daemon: in the care of systemd or launchd, else a process of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol

import typer

from homeportd.cli.clients import daemon_client, own_edge
from homeportd.cli.errors import REFUSED, UNREACHABLE, Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.options.tunnel_options import failure, trying
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import lay_out, screen, write, write_json
from homeportd.cli.service_managers import launchd, systemd

START_S: Final = 15.0  # seconds for a daemon to answer
STOP_S: Final = 15.0  # seconds for it to go, before it is killed
ANSWER_S: Final = 5.0  # seconds for it to say how it is
STEP_S: Final = 0.05
MAX_SAID: Final = 4096  # characters of the log in which a reason is looked for

if TYPE_CHECKING:
    import psutil

Alone = Annotated[
    bool,
    typer.Option(
        "--no-systemd",
        "--no-launchd",
        help="Start a process of its own, even where systemd or launchd would look after it.",
    ),
]


class Manager(Protocol):
    """What looks after a user's daemons: the modules `systemd` and `launchd`."""

    MANAGER: str

    def has_manager(self) -> bool: ...

    def start(self, command: list[str], log: Path) -> None: ...

    def stop(self) -> None: ...

    def is_enabled(self) -> bool: ...

    def notes(self) -> list[str]: ...

    def out_of_reach(self) -> str: ...

    def where(self, log: Path) -> str: ...


_MANAGERS: Final[tuple[Manager, ...]] = (systemd, launchd)


def start(alone: Alone = False, json: Json = False) -> None:
    """Start the daemon.

    Its tunnels come back with it. With systemd or launchd it also starts whenever you log in.
    """
    from homeportd.tunnels import state

    own_edge.account()
    files = state.Files.of_user()
    trying(files.make)
    if _status() is not None:
        raise Failure("the daemon runs already", "homeport daemon status", REFUSED)
    trying(lambda: state.load_tunnels(files))  # what is wrong with them is said best here
    manager = None if alone else next((one for one in _MANAGERS if one.has_manager()), None)
    if manager:
        manager.start(_command(), files.log)
        found = _wait_for_start(None, files.log, manager.where(files.log))
    else:
        found = _wait_for_start(_spawn(files.log), files.log, f"tail {shlex.quote(str(files.log))}")
    if json:
        log = None if manager is systemd else str(files.log)
        write_json({"pid": found["pid"], "manager": manager and manager.MANAGER, "log": log})
        return
    lines = [f"The daemon runs (pid {found['pid']}), {_count(len(found['tunnels']))}."]
    lines += manager.notes() if manager else []
    write([*lines, "Next: homeport tunnels add http 3000 --domain myapp"])


def stop(json: Json = False) -> None:
    """Stop the daemon. It keeps its tunnels for the next time."""
    from homeportd.tunnels import state

    files = state.Files.of_user()
    process = state.running(files)
    enabled = [manager for manager in _MANAGERS if manager.is_enabled()]
    for manager in enabled:
        if manager.has_manager():
            manager.stop()
        else:
            sys.stderr.write(manager.out_of_reach())
    if process is None and not enabled and _status() is None:
        raise daemon_client.NoDaemon
    _end(process)
    if json:
        write_json({"stopped": True})
    else:
        write(["The daemon is stopped; its tunnels come back when it is started."])


def _end(process: psutil.Process | None) -> None:
    """Ask the daemon to go, and see to it. Raises Failure."""
    import psutil

    asked = False
    try:
        if _status() is not None:
            asked = bool(daemon_client.ask({"do": "stop"}, ANSWER_S))
    except Failure:  # it hangs, or goes at this very moment
        if process is None:
            raise
    if not asked and process is not None and _is_alive(process):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    end = time.monotonic() + STOP_S
    while _is_there() or (process is not None and _is_alive(process)):
        if time.monotonic() > end:
            if process is None:
                raise Failure("the daemon does not stop", "see what it says: homeport daemon status", REFUSED)
            with contextlib.suppress(psutil.Error):
                process.kill()  # known by its pid and start time: it is no other
                process.wait(STOP_S)
            break
        time.sleep(STEP_S)


def _is_there() -> bool:
    """Whether a daemon takes questions, though it may not answer them."""
    try:
        return _status() is not None
    except Failure:
        return True


def status(json: Json = False) -> None:
    """Show the daemon: its link to the edge, its tunnels, what moves.

    Exit code 3 when it does not run.
    """
    found = daemon_client.ask({"do": "status"})
    if json:
        write_json(found)
        return
    from homeportd.cli.output import live_view

    to, now = screen(), phrases.local_now()
    lines = [f"The daemon runs (pid {found['pid']}, {found['version']}).", live_view.headline(found, to)]
    if found["tunnels"]:
        lines += [
            "",
            *lay_out(live_view.COLUMNS, [live_view.row(tunnel, now) for tunnel in found["tunnels"]], to),
        ]
    else:
        lines += ["No tunnels yet. Add one:", "  homeport tunnels add http 3000 --domain myapp"]
    write([*lines, *live_view.problems(found), *_troubles(found)])


def run(
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Log to this file, which is bounded.")
    ] = None,
) -> None:
    """Run the daemon in the foreground.

    For a service manager of your own; exit code 3 means that starting it again will not help.
    """
    import uvloop

    from homeportd import logs
    from homeportd.tunnels import account as accounts
    from homeportd.tunnels import background, local_edge
    from homeportd.tunnels.daemon import serve
    from homeportd.tunnels.errors import Problem

    if local_edge.find() is not None and not accounts.path().exists():
        own_edge.account()  # for a service manager of one's own, by which the daemon may be the first to need it
    if log is None:
        logs.set_up()
    else:
        background.log_to(log)
    try:
        uvloop.run(serve())
    except Problem as problem:
        why = failure(problem)
        raise Failure(why.detail, why.fix, systemd.NEVER if problem.lasting else why.code) from problem
    except OSError as error:
        raise Failure(
            f"the daemon cannot run: {error.filename or ''} {error.strerror}",
            "check that folder's owner and space",
        ) from error


def _troubles(found: dict[str, Any]) -> list[str]:
    """Lines about what is wrong with the whole."""
    lines = []
    if found["problem"] and not found["up"]:
        lines.append(f"fix: {found['problem']['fix']}")
    if found["token_ends"] is not None:
        when = phrases.moment(found["token_ends"], phrases.local_now())
        lines += [
            f"The token was replaced, and ends at {when}.",
            f"fix: {phrases.INIT_NEWER}",
        ]
    if found["skew_s"] is not None:
        lines.append(f"This machine's clock differs from the edge's by {abs(found['skew_s'])} s: set it.")
    return lines


def _status() -> dict[str, Any] | None:
    try:
        return daemon_client.ask({"do": "status"}, ANSWER_S)
    except daemon_client.NoDaemon:
        return None


def _command() -> list[str]:
    """This very program, whatever the path is by then."""
    return [sys.executable, "-P", "-m", "homeportd.cli", "daemon", "run"]  # -P: nothing of the current folder


def _spawn(log: Path) -> int:
    """Double-fork a daemon; returns its pid. It begins anew, so that it inherits no thread and no lock."""
    from homeportd.tunnels import background

    pid = background.detach(log)
    if pid is not None:
        return pid
    try:
        os.execv(sys.executable, [*_command(), "--log", str(log)])  # noqa: S606 - our own program
    except OSError as error:
        sys.stderr.write(f"error: cannot start {sys.executable}: {error}\n")
        sys.stderr.flush()
    os._exit(1)


def _wait_for_start(pid: int | None, log: Path, where: str) -> dict[str, Any]:
    """The status of the daemon that was started; `pid` where no manager knows better, `where` to see more."""
    end = time.monotonic() + START_S
    why = ""
    while time.monotonic() < end:
        found = _status()
        if found is not None:
            return found
        if pid is not None and not _lives(pid):
            said = log.read_text(errors="replace")[-MAX_SAID:].rpartition("error: ")[2]
            why = f": {said.splitlines()[0]}" if said else ""
            break
        time.sleep(STEP_S)
    raise Failure(f"the daemon did not start{why}", f"see more: {where}", UNREACHABLE)


def _lives(pid: int) -> bool:
    import psutil

    try:
        return _is_alive(psutil.Process(pid))
    except psutil.Error:
        return False


def _is_alive(process: psutil.Process) -> bool:
    import psutil

    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _count(number: int) -> str:
    return f"{number} tunnel{'' if number == 1 else 's'}"
