"""Ask the agent for a one-time login link, for the panel at the end of a run.

The link opens the dashboard to whoever has it, so the result is never shown by Ansible, at no verbosity, and
goes to no log: the repository's own callback writes it to the terminal. In check mode nothing is asked.
"""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Arguments: `dashboard`, its address; `command`, the path of `homeport`; `workstation`, whether it is one;
    `edge`, the pattern of its names where it is one; `database`, what the run did to the database, in sentences.
    """

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "dashboard": {"type": "str", "required": True},
                "command": {"type": "str", "required": True},
                "workstation": {"type": "bool", "default": True},
                "edge": {"type": "str", "default": ""},
                "database": {"type": "str", "default": ""},
            }
        )
        shown = {name: arguments[name] for name in ("dashboard", "workstation", "edge", "database")}
        result.update(changed=False, panel={**shown, "link": None})
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
