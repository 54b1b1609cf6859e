# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Before the module of this name looks at a host: read what is wanted there, and keep other runs away.

The variables of all roles are read from the roles themselves, with their defaults, and compared with what the host has.
The lock costs no task of its own, and works whichever way ansible-playbook was started.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader
from ansible_collections.homeport.agent.plugins.module_utils.components import load, sources
from ansible_collections.homeport.agent.plugins.plugin_utils.artifacts import choose, unusable
from ansible_collections.homeport.agent.plugins.plugin_utils.variables import (
    Role,
    Settings,
    read_role,
    settings,
    unknown,
)

HOLDER = Path(__file__).parents[1] / "plugin_utils/hold_lock.py"
HOLDER_SECONDS = 20  # for it to say whether it has the lock
LOCAL = "local"
# Roles whose variables are no component's: what all have in common, and what this run itself goes by.
COMMON_ROLES = {"homeport", "preflight"}


class ActionModule(ActionBase):
    """Arguments: `roles`, the folder of the roles; `exclusive`, whether other runs for the host are kept away;
    `installs`, whether the run goes on to install.
    """

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        known = task_vars or {}
        _unused, arguments = self.validate_argument_spec(
            {
                "roles": {"type": "path", "required": True},
                "exclusive": {"type": "bool", "default": False},
                "installs": {"type": "bool", "default": False},
            }
        )
        if arguments["exclusive"] and not self._task.check_mode and sys.platform == "linux":
            other = take_lock(self._target(), os.getppid())
            if other:
                where = "this machine" if self._target() == LOCAL else known["inventory_hostname"]
                result.update(failed=True, msg=refusal(other, where))
                return result
        found = self._settings(Path(arguments["roles"]), known)
        command = self._lookup("command_typed", known)
        answer = self._execute_module(
            module_args={
                "components": sources(),
                "settings": found.values,
                "groups": known["group_names"],
                "name": known["inventory_hostname"],
                "command": command,
                "become_given": self._lookup("become_password_given", known),
            },
            task_vars=task_vars,
        )
        layout = answer.get("ansible_facts", {}).get("homeport", {"tools": [], "machine": ""})
        table, chosen, urls = (found.values[f"artifact_{name}"] for name in ("table", "sources", "urls"))
        requirements = Path(arguments["roles"]).resolve().parent / "requirements"
        answer["artifacts"] = choose(table, chosen, urls, requirements, layout["machine"])
        # Nobody reads so much, whatever the verbosity.
        answer.pop("invocation", None)
        wrong = [{"error": error, "fix": fix} for error, fix in found.problems]
        for key in ("problems", "fatal"):
            answer[key] = wrong + answer.get(key, [])
        answer["problems"] += unusable(answer["artifacts"], table, layout["tools"])
        tags = (set(known[name]) for name in ("ansible_run_tags", "ansible_skip_tags", "group_names"))
        if arguments["installs"] and leaves_agent_out(*tags) and lacks_agent(answer):
            error = "the tags of this run leave out the agent, which is not installed here yet"
            answer["problems"].append({"error": error, "fix": f"run {command} without tags first"})
        result.update(answer)
        return result

    def _settings(self, folder: Path, known: dict[str, Any]) -> Settings:
        """The variables of the roles that the host's groups use, and what is wrong with any that the host has."""
        roles = {path.name: self._role(path) for path in sorted(folder.iterdir()) if path.is_dir()}
        groups = set(known["group_names"])
        used = {name for component in load() if groups & set(component.groups) for name in component.roles}
        used |= COMMON_ROLES
        render = self._templar.template
        known = with_edge(known)
        found = settings([role for name, role in roles.items() if name in used], known, render)
        # Of the roles of other groups the defaults do: what a host sets for them is not its concern.
        others = [role for name, role in roles.items() if name not in used]
        found.values |= settings(others, {}, render).values
        # What a person has set, and no variable of a role or a play.
        found.problems += unknown(roles.values(), known["hostvars"][known["inventory_hostname"]])
        return found

    def _role(self, folder: Path) -> Role:
        return read_role(
            folder, lambda path: self._loader.load_from_file(str(path), trusted_as_template=True)
        )

    def _lookup(self, name: str, known: dict[str, Any]) -> Any:
        [value] = lookup_loader.get(f"homeport.agent.{name}").run([], variables=known)
        return value

    def _target(self) -> str:
        """What is locked: this machine, or the address that a connection leads to."""
        if self._connection.transport == LOCAL:
            return LOCAL
        context = self._play_context
        return f"{context.remote_addr}:{context.port or ''}"


def with_edge(known: dict[str, Any]) -> dict[str, Any]:
    """A host's variables, and the address of the inventory's edge where the host is no edge and does not say it."""
    edges = known["groups"].get("edge", [])
    if "homeport_edge_url" in known or "edge" in known["group_names"] or not edges:
        return known
    url = known["hostvars"][edges[0]].get("homeport_edge_url")
    return known if url is None else {**known, "homeport_edge_url": url}


def leaves_agent_out(run: set[str], skipped: set[str], groups: set[str]) -> bool:
    """Whether the tags of a run (all, where none were given) leave the agent of a host in these groups as it is."""
    agent = {"homeportd", *groups}
    return not run & {"all", *agent} or bool(skipped & agent)


def lacks_agent(answer: dict[str, Any]) -> bool:
    """Whether the module found a host without an agent; a module that failed says so itself."""
    facts = answer.get("ansible_facts", {}).get("homeport")
    return bool(facts) and not facts["installed"]["agent"]["current"]


def lock_name(target: str) -> str:
    """The lock's name among the machine's abstract sockets, of at most 107 bytes."""
    digest = hashlib.sha256(target.encode()).hexdigest()[:16]
    return "homeport-run" if target == LOCAL else f"homeport-run-{digest}"


def take_lock(target: str, run: int) -> dict[str, Any] | None:
    """Lock a target until process `run` ends; what is known about the run that has it, or None when it is ours.

    `run` is ansible-playbook itself: this plugin runs in a short-lived process below it.
    """
    with subprocess.Popen(
        [sys.executable, "-I", str(HOLDER), lock_name(target), str(run)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,  # Ctrl-C is for the run; the lock goes with it
    ) as holder:
        # The process that stays keeps the other end open: one line is all that is read.
        output = cast(IO[bytes], holder.stdout)
        ready = select.select([output], [], [], HOLDER_SECONDS)[0]
        line = output.readline() if ready else b""
    answer: dict[str, Any] = (
        json.loads(line) if line else {"held": False, "pid": None, "uid": None, "since": None}
    )
    return None if answer["held"] else answer


def refusal(other: dict[str, Any], where: str) -> str:
    """What a person reads whose run has to wait."""
    pid, uid, since = other["pid"], other["uid"], other["since"]
    if uid is None:
        return (
            f"error: another run for {where} is under way, or a process that keeps its lock and hides\n"
            "fix: wait until it ends; as root, ss -xap | grep homeport-run names the process\n"
            "Nothing was changed."
        )
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    process = f"pid {pid} of {name}" if pid else f"a process of {name} in a container"
    begun = f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(since))}" if since else ""
    end = f", or end it: kill {pid}" if pid else ""
    return (
        f"error: another run for {where} is under way: {process}{begun}\n"
        f"fix: wait until it ends{end}\n"
        "Nothing was changed."
    )
