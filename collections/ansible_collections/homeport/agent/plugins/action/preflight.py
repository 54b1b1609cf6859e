"""Before the module of this name looks at a host: see that no other run is at it, and keep others away.

It costs no task of its own, and works whichever way ansible-playbook was started.
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
from typing import Any

from ansible.plugins.action import ActionBase

HOLDER = Path(__file__).parents[1] / "plugin_utils/hold_lock.py"
HOLDER_SECONDS = 20  # for it to say whether it has the lock
LOCAL = "local"


class ActionModule(ActionBase):
    """Takes `exclusive`, which is not the module's; all other arguments are."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        exclusive = bool(arguments.pop("exclusive", False)) and not self._task.check_mode
        if exclusive and sys.platform == "linux":
            other = take_lock(self._target(), os.getppid())
            if other:
                where = "this machine" if self._target() == LOCAL else (task_vars or {})["inventory_hostname"]
                result.update(failed=True, msg=refusal(other, where))
                return result
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        return result

    def _target(self) -> str:
        """What is locked: this machine, or the address that a connection leads to."""
        if self._connection.transport == LOCAL:
            return LOCAL
        context = self._play_context
        return f"{context.remote_addr}:{context.port or ''}"


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
        assert holder.stdout is not None  # noqa: S101 - PIPE, for mypy
        # The process that stays keeps the other end open: one line is all that is read.
        ready, _, _ = select.select([holder.stdout], [], [], HOLDER_SECONDS)
        line = holder.stdout.readline() if ready else b""
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
