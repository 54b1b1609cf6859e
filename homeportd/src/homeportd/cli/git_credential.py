"""The credential helper of git, git-credential(1): `homeport git-credential --socket PATH get`, called by git alone.

It says nothing where there is nothing to say, so that git asks the person's other helpers or the person.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.installation import Installation, find
from homeportd.cli.errors import NOT_FOUND, Failure

MAX_INPUT: Final = 64 * 1024  # characters


def run(arguments: list[str]) -> int:
    """Answer one question of git on standard input; returns the exit code. Raises Failure without an installation."""
    if not arguments or arguments[-1] != "get":  # `store` and `erase`: tokens are kept in the settings
        return 0
    asked = dict(line.split("=", 1) for line in sys.stdin.read(MAX_INPUT).splitlines() if "=" in line)
    if arguments[0] == "--socket" and len(arguments) == 3:
        installation = Installation(Path("/nowhere"), Path(arguments[1]).parent)
    else:
        installation = find()
    body = {
        "protocol": asked.get("protocol", ""),
        "host": asked.get("host", ""),
        "folder": os.path.abspath(os.environ.get("GIT_DIR") or os.getcwd()),  # noqa: PTH100, PTH109 - links stay
    }
    try:
        with Agent(installation) as agent:
            found = agent.post("/git/credential", body)
    except Failure as failure:
        if failure.code != NOT_FOUND:
            sys.stderr.write(f"note: homeport has no token for git: {failure.detail}\n")
        return 0
    sys.stdout.write(f"username={found['username']}\npassword={found['password']}\n")
    return 0
