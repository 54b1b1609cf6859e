#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Remove files and folders, many in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: absent
short_description: Remove files and folders
description:
  - As M(ansible.builtin.file) with C(state=absent) for each path, in one step instead of half a second for each.
  - A symbolic link is removed, never what it leads to.
options:
  paths:
    description: What shall not be there; absolute, what depends on others first.
    type: list
    elements: path
    required: true
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Remove the files
  homeport.agent.absent:
    paths: [/etc/homeport, /opt/homeport]
"""

RETURN = r"""
removed:
  description: Those that were there.
  returned: always
  type: list
  elements: str
"""

import os
import shutil
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def main() -> None:
    module = AnsibleModule(
        argument_spec={"paths": {"type": "list", "elements": "path", "required": True}},
        supports_check_mode=True,
    )
    removed: list[str] = []
    for name in module.params["paths"]:
        if not name.startswith("/") or os.path.normpath(name) == "/":
            module.fail_json(msg=f"{name} is no absolute path of a file or folder", removed=removed)
        if not os.path.lexists(name):
            continue
        if not module.check_mode:
            try:
                remove(Path(name))
            except OSError as error:
                module.fail_json(
                    msg=f"error: {error.filename or name} cannot be removed: {error.strerror}\n"
                    f"fix: see what holds it (findmnt {name}; lsattr -d {name}), then run this again",
                    removed=removed,
                )
        removed.append(name)
    module.exit_json(
        changed=bool(removed),
        removed=removed,
        diff={"prepared": "".join(f"    {name}: there → absent\n" for name in removed)},
    )


if __name__ == "__main__":
    main()
