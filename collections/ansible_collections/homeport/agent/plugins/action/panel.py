# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Ask the agent for a one-time login link, for the panel at the end of a run.

The link opens the dashboard to whoever has it, so the result is never shown by Ansible, at no verbosity, and
goes to no log: the repository's own callback writes it to the terminal. In check mode nothing is asked.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

# The PATH of the shell that called bin/site, and that shell's name; bin/site has another PATH itself.
CALLERS_PATH = "HOMEPORT_SITE_PATH"
CALLERS_SHELL = "HOMEPORT_SITE_SHELL"
# Where each shell reads what it shall know at its next start; the others read ~/.profile.
STARTUP = {"zsh": "~/.zshrc", "fish": "~/.config/fish/config.fish"}


def path_advice(command: str, environment: dict[str, str]) -> list[str]:
    """The line that lets the calling shell find `command`, and how to keep it; empty where it is found already."""
    folder, path = str(Path(command).parent), environment.get(CALLERS_PATH, environment.get("PATH", ""))
    if shutil.which("homeport", path=path) == command:
        return []
    home = environment.get("HOME", "")
    shown = folder.replace(home, "$HOME", 1) if home and folder.startswith(f"{home}/") else folder
    shell = environment.get(CALLERS_SHELL, "")
    line = f"set -gx PATH {shown} $PATH" if shell == "fish" else f'export PATH="{shown}:$PATH"'
    file = STARTUP.get(shell, "~/.profile")
    startup = Path(file.replace("~", home, 1)) if home else Path(file)
    known = startup.is_file() and folder.removeprefix(f"{home}/") in startup.read_text(errors="replace")
    later = "shells that log in later have it" if known else f"and in {file}, to keep it"
    return [line, f"this shell finds homeport after that line; {later}"]


class ActionModule(ActionBase):
    """Arguments: `dashboard`, its address; `command`, the path of `homeport`; `workstation`, whether it is one;
    `edge`, the pattern of its names where it is one; `database`, what the run did to the database, in sentences;
    `user` and `user_sentence`, whom the agent serves and why;
    `rootful`, whether that can be changed; `start`, what starts Homeport where nothing does so at boot.
    """

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            {
                "dashboard": {"type": "str", "required": True},
                "command": {"type": "str", "required": True},
                "workstation": {"type": "bool", "default": True},
                "edge": {"type": "str", "default": ""},
                "database": {"type": "str", "default": ""},
                "user": {"type": "str", "required": True},
                "user_sentence": {"type": "str", "required": True},
                "rootful": {"type": "bool", "default": True},
                "start": {"type": "str", "default": ""},
            }
        )
        local = self._connection.transport == "local"
        panel = {name: value for name, value in arguments.items() if name != "command"}
        panel["path"] = path_advice(arguments["command"], dict(os.environ)) if local else []
        panel["local"] = local
        result.update(changed=False, panel={**panel, "link": None})
        result["_ansible_verbose_override"] = True
        if self._task.check_mode:
            return result
        answer = self._execute_module(
            module_name="ansible.legacy.command",
            module_args={"argv": [arguments["command"], "login-link", "--json"]},
            task_vars=task_vars,
        )
        try:
            result["panel"]["link"] = json.loads(answer["stdout"])["url"]
        except (KeyError, TypeError, ValueError):
            problem = answer.get("stderr") or answer.get("msg") or "homeport login-link gave no link"
            result.update(failed=True, msg=f"{problem}\nfix: run {arguments['command']} doctor on that host")
        return result
