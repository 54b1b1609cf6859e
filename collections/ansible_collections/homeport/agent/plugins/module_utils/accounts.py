"""Reads the accounts of a host, what they may do, and whom Homeport serves there already."""

from __future__ import annotations

import grp
import json
import os
import pwd
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.names import STATE
from ansible_collections.homeport.agent.plugins.module_utils.user_rules import MARKER

ASK_SECONDS = 10  # a sudo or python that does not answer is not there
NOTHING = subprocess.CompletedProcess((), 1, "", "")
SETTINGS = "homeport/agent.toml"  # below /etc, or ~/.config without root
MAX_FILE = 65536  # bytes of a settings file that are read
# What sudo says to those who have no right at all; to all others it says that it wants a password.
NO_RIGHT = re.compile(r"may not run sudo|not in the sudoers|I'm sorry")
DATA = Path(STATE, "data")


def run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """The finished command, or None when it could not run to its end."""
    try:
        return subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None


def sudo_kind() -> str:
    """none, free (no password asked), password, or refused (no right at all, or to some commands alone)."""
    if not shutil.which("sudo"):
        return "none"
    if (run("sudo", "-n", "true") or NOTHING).returncode == 0:
        return "free"
    validated = run("sudo", "-n", "-v") or NOTHING
    return "refused" if validated.returncode == 0 or NO_RIGHT.search(validated.stderr) else "password"


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_of(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def read_text(path: Path) -> str:
    """The beginning of a file that anybody may read; empty where there is none."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(MAX_FILE)
    except OSError:
        return ""


def recorded_user() -> dict[str, str]:
    """The user that the installation with root serves, and why, as its settings have it."""
    text = read_text(Path("/etc", SETTINGS))
    keys = {"user": "user", "reason": "user_reason"}
    found = {name: re.search(rf'(?m)^{key} = "([^"]*)"$', text) for name, key in keys.items()}
    return {name: match[1] if match else "" for name, match in found.items()}


def pending_handover() -> dict[str, Any] | None:
    """What an interrupted handover left: from, to; None where there was none."""
    text = read_text(Path(MARKER))
    try:
        found = json.loads(text)
        return {"from": [str(name) for name in found["from"]], "to": str(found["to"])}
    except (ValueError, KeyError, TypeError):
        return None


def accounts(*more: str | None) -> dict[str, dict[str, Any]]:
    """Every account by its name; `more` are asked for by name, for not every directory of accounts lists all."""
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in filter(None, more):
        try:
            entries.setdefault(name, pwd.getpwnam(name))
        except KeyError:
            continue
    return {
        entry.pw_name: {
            "uid": entry.pw_uid,
            "group": group_of(entry.pw_gid),
            "home": entry.pw_dir,
            "comment": entry.pw_gecos,
        }
        for entry in entries.values()
    }


def observe_accounts(named: str) -> dict[str, Any]:
    """What user_rules decides by; `named` is the account that the inventory names."""
    me = pwd.getpwuid(os.geteuid())
    sudo_user = os.environ.get("SUDO_USER") if os.geteuid() == 0 else None
    data_owner = name_of(DATA.stat().st_uid) if DATA.is_dir() else None
    here = Path(me.pw_dir, ".config", SETTINGS).is_file() and not Path("/etc", SETTINGS).is_file()
    return {
        "uid": os.geteuid(),
        "user": me.pw_name,
        "group": group_of(me.pw_gid),
        "home": me.pw_dir,
        "sudo": "none" if os.geteuid() == 0 else sudo_kind(),
        "sudo_user": sudo_user,
        "users": accounts(me.pw_name, sudo_user, data_owner, named),
        "groups": {entry.gr_name: list(entry.gr_mem) for entry in grp.getgrall()},
        "data_owner": data_owner,
        "recorded": recorded_user(),
        "handover": pending_handover(),
        "rootless_here": here,
    }
