"""The commands for the tunnel daemon: started by systemd or launchd where they are, else as a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from homeportd.cli.clients import daemon_client, own_edge
from homeportd.cli.errors import REFUSED, TUNNEL_EXIT_CODES, Failure
from homeportd.cli.options.arguments import Json
from homeportd.cli.output import phrases, tunnel_tables
from homeportd.cli.output.terminal import screen, write, write_json
from homeportd.cli.registry import Group
from homeportd.cli.service_managers import systemd
from homeportd.cli.service_managers.manager import MANAGERS
from homeportd.cli.tunnel_failures import attempt, failure
from homeportd.tunnels.status import DaemonStatus

commands = Group(
    "daemon",
    "Start, stop and see the tunnel daemon.",
    alone="status",
    position=65,
    exit_codes=TUNNEL_EXIT_CODES,
)

Alone = Annotated[
    bool,
    typer.Option(
        "--no-systemd",
        "--no-launchd",
        help="Start a process of its own, even where systemd or launchd would look after it.",
    ),
]


@commands.command("start", "homeport daemon start")
def start(alone: Alone = False, json: Json = False) -> None:
    """Start the daemon.

    Its tunnels come back with it. With systemd or launchd it also starts whenever you log in.
    """
    from homeportd.cli.clients import daemon_process  # psutil: too slow for other commands
    from homeportd.tunnels import state

    own_edge.account()
    files = state.DaemonFiles.of_user()
    attempt(files.make)
    if daemon_process.status() is not None:
        raise Failure("the daemon runs already", "homeport daemon status", REFUSED)
    attempt(lambda: state.load_tunnels(files))  # a file that cannot be read is an error here, not in a log
    manager = None if alone else next((each for each in MANAGERS if each.has_manager()), None)
    found = daemon_process.start(manager, files)
    if json:
        log = None if manager is systemd else str(files.log)
        write_json({"pid": found["pid"], "manager": manager and manager.MANAGER, "log": log})
        return
    count = len(found["tunnels"])
    lines = [f"The daemon runs (pid {found['pid']}), {count} tunnel{'' if count == 1 else 's'}."]
    lines += manager.notes() if manager else []
    write([*lines, "Next: homeport tunnels add http 3000 --domain myapp"])


@commands.command("stop", "homeport daemon stop")
def stop(json: Json = False) -> None:
    """Stop the daemon. It keeps its tunnels for the next time."""
    from homeportd.cli.clients import daemon_process
    from homeportd.tunnels import state

    process = state.running(state.DaemonFiles.of_user())
    enabled = [manager for manager in MANAGERS if manager.is_enabled()]
    for manager in enabled:
        if manager.has_manager():
            manager.stop()
        else:
            sys.stderr.write(manager.out_of_reach())
    if process is None and not enabled and daemon_process.status() is None:
        raise daemon_client.NoDaemon
    daemon_process.end(process)
    if json:
        write_json({"stopped": True})
    else:
        write(["The daemon is stopped; its tunnels come back when it is started."])


@commands.command("status", "homeport daemon status", "homeport daemon status --json | jq .tunnels")
def status(json: Json = False) -> None:
    """Show the daemon: its link to the edge, its tunnels, what moves.

    Exit code 3 when it does not run.
    """
    found = daemon_client.status()
    if json:
        write_json(found)
        return
    to, tunnels = screen(), found["tunnels"]
    lines = [f"The daemon runs (pid {found['pid']}, {found['version']}).", tunnel_tables.link(found, to)]
    if tunnels:
        lines += ["", *tunnel_tables.details(tunnels, to, phrases.local_now())]
    else:
        lines += ["No tunnels yet. Add one:", "  homeport tunnels add http 3000 --domain myapp"]
    write([*lines, *tunnel_tables.errors(tunnels), *_link_errors(found)])


@commands.command("run", "homeport daemon run")
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
    from homeportd.tunnels.errors import TunnelError

    if local_edge.find() is not None and not accounts.path().exists():
        own_edge.account()  # under a service manager of the person's own, the daemon may be the first to need it
    if log is None:
        logs.set_up()
    else:
        background.log_to(log)
    try:
        uvloop.run(serve())
    except TunnelError as error:
        why = failure(error)
        raise Failure(why.detail, why.fix, systemd.NEVER if error.lasting else why.code) from error
    except OSError as error:
        raise Failure(
            f"the daemon cannot run: {error.filename or ''} {error.strerror}",
            "check that folder's owner and space",
        ) from error


def _link_errors(daemon: DaemonStatus) -> list[str]:
    """Lines about what is wrong with the link as a whole."""
    lines = []
    if daemon["problem"] and not daemon["up"]:
        lines.append(f"fix: {daemon['problem']['fix']}")
    if daemon["token_ends"] is not None:
        when = phrases.moment(daemon["token_ends"], phrases.local_now())
        lines += [f"The token was replaced, and ends at {when}.", f"fix: {phrases.INIT_NEWER}"]
    if daemon["skew_s"] is not None:
        lines.append(f"This machine's clock differs from the edge's by {abs(daemon['skew_s'])} s: set it.")
    return lines
