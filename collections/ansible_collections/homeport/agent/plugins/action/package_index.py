# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Ask from a host, before anything changes, whether what it has to download is within its reach.

The same pip that will install is brought for the question, in a temporary folder of Ansible's, and run by the same
Python and account; nothing of it stays. It runs in check mode too.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

ASK = Path(__file__).parents[1] / "plugin_utils/ask_index.py"
BUILD_SECONDS = 300
MOST_NAMED = 5  # packages in one message


class ActionModule(ActionBase):
    """Arguments: `python`, which asks; `builder`, the program that makes the installer; `locks`, paths of lock files;
    `debian`, whether apt is asked as well. Returns `problems`, each with its error and its fix.
    """

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "python": {"type": "str", "required": True},
                "builder": {"type": "path", "required": True},
                "locks": {"type": "list", "elements": "path", "required": True},
                "debian": {"type": "bool", "default": False},
            }
        )
        made = subprocess.run(
            [sys.executable, arguments["builder"], "--installer"],
            capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
        if made.returncode:
            result.update(failed=True, msg=made.stderr)
            return result
        files = {"pip.zip": Path(json.loads(made.stdout)["installer"]), "ask_index.py": ASK}
        files |= {Path(lock).name: Path(lock) for lock in arguments["locks"]}
        try:
            answer = self._ask(arguments, files)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        result.update(changed=False, problems=problems(answer, (task_vars or {}).get("homeport", {})))
        return result

    def _ask(self, arguments: dict[str, Any], files: dict[str, Path]) -> list[dict[str, str]]:
        folder = self._make_tmp_path()
        there = {name: self._connection._shell.join_path(folder, name) for name in files}
        for name, path in files.items():
            self._transfer_file(str(path), there[name])
        self._fixup_perms2([folder, *there.values()])
        command = [arguments["python"], "-I", there["ask_index.py"], *["--debian"] * arguments["debian"]]
        command += [there["pip.zip"], *(there[Path(lock).name] for lock in arguments["locks"])]
        done = self._low_level_execute_command(shlex.join(command), sudoable=True)
        try:
            found: list[dict[str, str]] = json.loads(done["stdout"].strip().splitlines()[-1])["failures"]
        except (ValueError, KeyError, IndexError):
            # The question failed, not its answer: the installation may well go through, and says why if not.
            return []
        return found


def problems(failures: list[dict[str, str]], homeport: dict[str, Any]) -> list[dict[str, str]]:
    """One for each cause, with what helps there."""
    causes: dict[tuple[str, str], list[dict[str, str]]] = {}
    for failure in failures:
        causes.setdefault((failure["source"], failure["kind"]), []).append(failure)
    return [
        {"error": _error(source, kind, entries), "fix": _fix(source, kind, homeport)}
        for (source, kind), entries in causes.items()
    ]


def _error(source: str, kind: str, entries: list[dict[str, str]]) -> str:
    names = [entry["package"] for entry in entries]
    shown = ", ".join(names[:MOST_NAMED]) + f" and {len(names) - MOST_NAMED} more" * (len(names) > MOST_NAMED)
    asked = "Debian's packages" if source == "debian" else "the package index"
    detail = entries[0]["detail"].removesuffix(" - skipping")
    return {
        "names": f"{asked} cannot be reached, for names do not resolve: {detail}",
        "unreachable": f"{asked} cannot be reached: {detail}",
        "certificate": f"the certificate of {asked} is not trusted: {detail}",
        "refused": f"{asked} refused the request: {detail}",
        "missing": f"the package index has no wheel of {shown} for {detail}"
        if source == "index"
        else f"apt has nothing to get packages from: {detail}",
        "changed": f"the package index has other files of {shown} than the locks name",
    }[kind]


def _fix(source: str, kind: str, homeport: dict[str, Any]) -> str:
    settings = "/etc/pip.conf" if homeport.get("rootful", True) else "~/.config/pip/pip.conf"
    if source == "debian":
        proxy = "a proxy is set in /etc/apt/apt.conf.d (Acquire::http::Proxy)"
        index = "sources are in /etc/apt/sources.list and /etc/apt/sources.list.d"
    else:
        proxy = f'where only a proxy leads out, write "[global]" and "proxy = http://…" to {settings}'
        index = f'write another index to {settings}: "[global]" and "index-url = …", or set PIP_INDEX_URL'
    return {
        "names": f"correct the name servers in /etc/resolv.conf (getent hosts NAME shows whether they answer); {proxy}",
        "unreachable": f"see whether this machine may go out (its route, its firewall); {proxy}; {index}",
        "certificate": "put the authority's certificate into /usr/local/share/ca-certificates (named ….crt) "
        "and run update-ca-certificates; see that the clock is right (date)",
        "refused": f"give the account the right to read it, in ~/.netrc or in the address; {index}",
        "missing": index
        if source == "debian"
        else f"use an index that has it, or another artifact_python; {index}",
        "changed": f"use an index that serves the original files; {index}",
    }[kind]
