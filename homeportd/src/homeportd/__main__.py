"""`homeportd`: the agent's own command; people use `homeport`."""

from __future__ import annotations

import argparse
import os
import pwd
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from homeportd import __version__

FAILED = 1  # may go away: the service manager tries again
WILL_NOT_FIX_ITSELF = 3  # a person must act: the service manager leaves it


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="homeportd",
        description="The agent of Homeport. People use the command `homeport`.",
        epilog="exit codes: 0 stopped as asked, 1 failed, 2 wrong usage, 3 failed and will not fix itself",
    )
    parser.add_argument("--version", action="version", version=f"homeportd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run the agent in the foreground")
    serve.add_argument("--config", type=Path, help="settings file (default: the one of this machine)")
    serve.add_argument("--allow-root", action="store_true", help="run as root, for tests in containers")
    check = commands.add_parser("check", help="check a settings file and say what is wrong with it")
    check.add_argument("--config", type=Path, help="settings file (default: the one of this machine)")
    traefik = commands.add_parser("check-traefik", help="try Traefik's files and say what is wrong with them")
    traefik.add_argument("--program", type=Path, required=True, help="Traefik")
    traefik.add_argument("settings", type=Path, help="its settings, JSON")
    traefik.add_argument("--routes", type=Path, help="a file of routes under these settings")
    reader = commands.add_parser(
        "owner-reader", help="as root, answer one user's agent whose listeners there are"
    )
    reader.add_argument("--socket", type=Path, required=True, help="where to answer")
    reader.add_argument("--user", required=True, help="the agent's user")
    restore = commands.add_parser(
        "restore-database", help="go back to the copy of the database from before a newer release migrated it"
    )
    restore.add_argument("--config", type=Path, help="settings file (default: the one of this machine)")
    restore.add_argument(
        "--data-dir", type=Path, help="the folder of the database, instead of a settings file"
    )
    restore.add_argument(
        "--schema", type=int, help="the newest schema that will do (default: this release's)"
    )
    restore.add_argument(
        "--source", type=Path, help="the database to put in place, one that was kept beside it"
    )
    restore.add_argument("--check", action="store_true", help="say what would be done, and change nothing")
    restore.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def main() -> None:
    """Serve, or check the settings; the exit code says whether trying again can help."""
    arguments = _parser().parse_args()
    if arguments.command == "owner-reader":
        _read_owners(arguments.socket, arguments.user)
    if arguments.command == "check-traefik":
        _check_traefik(arguments.program, arguments.settings, arguments.routes)
    if arguments.command == "restore-database":
        _restore_database(arguments)
    # Imported late: the owner reader is small, and `--version` needs nothing at all.
    from homeportd.settings import SettingsError, find, load

    try:
        settings = load(arguments.config or find())
    except SettingsError as error:
        _refuse(error.detail, error.fix, WILL_NOT_FIX_ITSELF)
    if arguments.command == "check":
        return
    if os.getuid() == 0 and not arguments.allow_root:
        _refuse(
            "the agent does not run as root",
            "run it as your own user; bin/site sees to that",
            WILL_NOT_FIX_ITSELF,
        )

    import uvloop

    from homeportd import logs
    from homeportd.app import serve as serve_agent
    from homeportd.data_lock import AlreadyRunning
    from homeportd.database import DatabaseError

    logs.set_up()
    try:
        uvloop.run(serve_agent(settings))
    except AlreadyRunning as error:
        _refuse(error.detail, error.fix, FAILED)
    except DatabaseError as error:
        _refuse(error.detail, error.fix, WILL_NOT_FIX_ITSELF)
    except OSError as error:
        _refuse(
            f"{error.filename or 'a socket'}: {error.strerror}",
            "check that folder's owner, mode and space",
            FAILED,
        )


def _read_owners(path: Path, user: str) -> NoReturn:
    from homeportd.ports.owner_reader.server import serve

    try:
        serve(path, pwd.getpwnam(user).pw_uid)
    except KeyError:
        _refuse(f"there is no user {user}", "name the agent's user", WILL_NOT_FIX_ITSELF)
    except OSError as error:
        _refuse(f"{path}: {error.strerror}", "check that folder's owner and mode", FAILED)
    except KeyboardInterrupt:
        pass
    sys.exit(0)


def _check_traefik(program: Path, settings: Path, routes: Path | None) -> NoReturn:
    from homeportd.edge.traefik.check import check

    try:
        found = check(program, settings, routes)
    except OSError as error:
        _refuse(f"{error.filename or program}: {error.strerror}", "name files that are there", FAILED)
    if found:
        _refuse("\nerror: ".join(found), "correct the variables that these come from", WILL_NOT_FIX_ITSELF)
    sys.exit(0)


def _restore_database(arguments: argparse.Namespace) -> NoReturn:
    import json
    import sqlite3

    from homeportd.data_lock import AlreadyRunning
    from homeportd.database import DatabaseError, migrations
    from homeportd.database_restore import restore
    from homeportd.settings import SettingsError, find, load

    try:
        data_dir = arguments.data_dir or load(arguments.config or find()).data_dir
        _be_the_owner_of(data_dir)
        known = len(migrations()) if arguments.schema is None else arguments.schema
        done = restore(data_dir, known, source=arguments.source, dry=arguments.check)
    except (SettingsError, DatabaseError) as error:
        _refuse(error.detail, error.fix, WILL_NOT_FIX_ITSELF)
    except AlreadyRunning as error:
        _refuse(error.detail, "stop it first; playbooks/rollback.yml does all of it", FAILED)
    except (OSError, sqlite3.Error) as error:
        _refuse(f"{error}; nothing was changed", "see to that file, its owner and the room there", FAILED)
    if arguments.json:
        print(json.dumps(done.document() if done else {"restored": False, "needed": False}))  # noqa: T201
    else:
        print(done.text() if done else "There is nothing to do: the database fits.")  # noqa: T201
    sys.exit(0)


def _be_the_owner_of(data_dir: Path) -> None:
    """Refuse to write files as somebody else, whom the agent could not follow; raises OSError."""
    owner = data_dir.stat().st_uid
    if os.getuid() != owner:
        try:
            name = pwd.getpwuid(owner).pw_name
        except KeyError:
            name = f"#{owner}"
        _refuse(
            f"{data_dir} belongs to {name}",
            f"run it as {name}: runuser -u {name} -- {shlex.join(sys.argv)}",
            WILL_NOT_FIX_ITSELF,
        )


def _refuse(detail: str, fix: str, code: int) -> NoReturn:
    print(f"error: {detail}\nfix: {fix}", file=sys.stderr)  # noqa: T201
    sys.exit(code)


if __name__ == "__main__":
    main()
