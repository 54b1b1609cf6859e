# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Write a file that was rendered and checked: the check runs before the file takes its place, and in check mode too.

On a host that has nothing yet a preview shows the whole file, and says when the check could not run.
"""

from __future__ import annotations

import posixpath
import shlex
import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import lookup_loader

PLACEHOLDER = "%s"  # the file, in a check's arguments
UNAVAILABLE = 97  # what our own shell line ends with where a check cannot run yet; no checker does
MOST_LINES = 20  # of a checker's output, in a message


class ActionModule(ActionBase):
    """Options: see the documentation of the module of this name."""

    TRANSFERS_FILES = True
    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _unused, given = self.validate_argument_spec(
            {
                "src": {"type": "str"},
                "content": {"type": "str", "no_log": False},
                "dest": {"type": "path", "required": True},
                "mode": {"type": "raw", "required": True},
                "owner": {"type": "str"},
                "group": {"type": "str"},
                "validate": {"type": "list", "elements": "str", "default": []},
                "needs": {"type": "list", "elements": "path", "default": []},
            },
            mutually_exclusive=[("src", "content")],
            required_one_of=[("src", "content")],
        )
        check = given["validate"]
        if check and PLACEHOLDER not in check:
            raise AnsibleActionFail(f"validate has no argument {PLACEHOLDER}, which stands for the file")
        text = self._render(given["src"], task_vars) if given["src"] else given["content"]
        with tempfile.TemporaryDirectory(dir=C.DEFAULT_LOCAL_TMP) as folder:
            # Checkers go by the ending: it stays that of the file.
            file = Path(folder) / posixpath.basename(given["dest"])
            file.write_text(text, encoding="utf-8")
            try:
                if self._task.check_mode:
                    result.update(self._preview(given, file, text, task_vars))
                else:
                    result.update(self._copy(given, file, task_vars))
            finally:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        if result.get("failed") and check and result.get("msg") == "failed to validate":
            output = f"{result.pop('stdout', '')}\n{result.pop('stderr', '')}"
            result["msg"] = refusal(given["dest"], check, output)
        return result

    def _render(self, src: str, task_vars: dict[str, Any]) -> str:
        lookup = lookup_loader.get("ansible.builtin.template", loader=self._loader, templar=self._templar)
        [text] = lookup.run([src], variables=task_vars)
        return str(text)

    def _copy(self, given: dict[str, Any], file: Path, task_vars: dict[str, Any]) -> dict[str, Any]:
        task = self._task.copy()
        task.args = {
            name: given[name] for name in ("dest", "mode", "owner", "group") if given[name] is not None
        }
        task.args |= {"src": str(file), "follow": False}
        if given["validate"]:
            task.args["validate"] = as_format(given["validate"])
        copy = self._shared_loader_obj.action_loader.get(
            "ansible.legacy.copy", task=task, connection=self._connection, play_context=self._play_context,
            loader=self._loader, templar=self._templar, shared_loader_obj=self._shared_loader_obj,
        )  # fmt: skip
        result = dict(copy.run(task_vars=task_vars))
        for difference in result.get("diff", ()):
            if "after_header" in difference:  # not the name of a temporary file of this machine
                difference["after_header"] = given["dest"]
        return result

    def _preview(
        self, given: dict[str, Any], file: Path, text: str, task_vars: dict[str, Any]
    ) -> dict[str, Any]:
        parent = self._execute_remote_stat(posixpath.dirname(given["dest"]), task_vars, follow=True)
        if parent["exists"]:
            # Owners may be accounts that the run will make.
            found = self._copy({**given, "owner": None, "group": None}, file, task_vars)
        else:
            header = {"before_header": given["dest"], "after_header": given["dest"]}
            found = {"changed": True, "diff": [{"before": "", "after": text, **header}] * self._task.diff}
        if not given["validate"] or not found.get("changed") or found.get("failed"):
            return found
        command = given["validate"]
        status, output = self._check(command, given["needs"], file)
        if status == UNAVAILABLE:
            where = output.strip().splitlines()[-1:] or ["its checker"]
            unchecked = f"not checked: {where[0]} is not there yet"
            found["msg"] = f"{given['dest']} is {unchecked}"
            for difference in found.get("diff", ()):
                difference["after_header"] = f"{given['dest']} ({unchecked})"
        elif status:
            return {"failed": True, "msg": refusal(given["dest"], command, output)}
        return found

    def _check(self, command: list[str], needs: list[str], file: Path) -> tuple[int, str]:
        """Exit status and output of a check on the host, UNAVAILABLE where a path that it needs is missing."""
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        there = self._connection._shell.join_path(folder, file.name)
        self._transfer_file(str(file), there)
        self._fixup_perms2([folder, there], execute=False)
        words = [there if word == PLACEHOLDER else word for word in command]
        paths = [*needs, *(word for word in command if word.startswith("/"))]
        missing = f'{{ printf "%s\\n" "$path"; exit {UNAVAILABLE}; }}'
        script = f'path={shlex.quote(command[0])}; command -v "$path" > /dev/null || {missing}; '
        if paths:
            script += f'for path in {shlex.join(paths)}; do [ -e "$path" ] || {missing}; done; '
        done = self._low_level_execute_command(f"sh -c {shlex.quote(f'{script}{shlex.join(words)} 2>&1')}")
        return int(done["rc"]), str(done["stdout"])


def as_format(command: list[str]) -> str:
    """A check as the module copy wants it: one text, in which %s is the file."""
    return " ".join(word if word == PLACEHOLDER else shlex.quote(word).replace("%", "%%") for word in command)


def refusal(dest: str, command: list[str], output: str) -> str:
    """What a person reads whose file was refused. A checker of ours says itself what to do."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()][-MOST_LINES:]
    said = "\n".join("".join(c if c.isprintable() else "?" for c in line) for line in lines)
    if said.startswith("error: "):
        return said
    name = posixpath.basename(command[0])
    return (
        f"error: {name} refuses the new {dest}; the old one stays:\n{said}\n"
        "fix: correct the setting that it names, and run bin/site again"
    )
