# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Bring what the module of this name installs from to the host: locks, our own wheel, and the pip that installs.

A package of Debian is left to apt. Only an installation costs anything: the role asks for none that is there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

BUILD_SECONDS = 300
PROJECT = ("package.json", "package-lock.json")


class ActionModule(ActionBase):
    """Options as the module has them; its paths of files to install from are the controller's here.

    Keeps in the fact `made_artifacts` when each program was made, for the services that run it.
    """

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        artifact = dict(arguments["artifact"])
        if "error" in artifact:  # which preflight reports before anything changes
            raise AnsibleActionFail(f"error: {artifact['error']}\nfix: {artifact['fix']}")
        if artifact["source"] == "apt":
            result.update(self._install_package(artifact["package"], task_vars))
            return result
        builder = arguments.pop("builder", "")
        try:
            if not self._task.check_mode:
                self._bring(artifact, builder)
            result.update(
                self._execute_module(
                    module_name="homeport.agent.artifact",
                    module_args={**arguments, "artifact": artifact},
                    task_vars=task_vars,
                )
            )
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        if not result.get("failed") and result.get("made"):
            before = (task_vars or {}).get("made_artifacts", {})
            result["ansible_facts"] = {"made_artifacts": {**before, arguments["name"]: result["made"]}}
        return result

    def _install_package(self, package: str, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        if self._task.check_mode:
            # apt's own preview needs python3-apt, which a small system lacks until the first installation.
            return {
                "changed": True,
                "diff": {"before": {"path": package}, "after": {"path": package, "state": "installed"}},
            }
        return dict(
            self._execute_module(
                module_name="ansible.legacy.apt",
                module_args={"name": package, "update_cache": True, "install_recommends": False},
                task_vars=task_vars,
            )
        )

    def _bring(self, artifact: dict[str, Any], builder: str) -> None:
        """Copy the files that an artifact names, and let it name their copies."""
        folder = self._connection._shell.tmpdir or self._make_tmp_path()
        brought = [folder]

        def bring(source: str, name: str) -> str:
            there = self._connection._shell.join_path(folder, name)
            self._transfer_file(source, there)
            brought.append(there)
            return str(there)

        if artifact["source"] == "wheel":
            installer = artifact.get("installer") or pack_installer(builder)
            artifact["installer"] = bring(installer, "pip.zip")
            artifact["lock"] = bring(artifact["lock"], "requirements.txt")
            if artifact.get("wheel"):
                artifact["wheel"] = bring(artifact["wheel"], Path(artifact["wheel"]).name)
        elif artifact["source"] == "npm":
            for name in PROJECT:
                bring(str(Path(artifact["project"]) / name), name)
            artifact["project"] = folder
        artifact["files"] = {
            name: bring(source, f"file{number}")
            for number, (name, source) in enumerate(artifact.get("files", {}).items())
        }
        self._fixup_perms2(brought, execute=False)


def pack_installer(builder: str) -> str:
    """The pip that installs on hosts, as one file of this machine."""
    made = subprocess.run(
        [sys.executable, builder, "--installer"],
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    if made.returncode:
        raise AnsibleActionFail(made.stderr)
    return str(json.loads(made.stdout)["installer"])
