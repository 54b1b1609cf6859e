#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Make folders, empty files and symbolic links, many in one step."""

from __future__ import annotations

DOCUMENTATION = r"""
module: paths
short_description: Make folders, files and symbolic links
description:
  - As M(ansible.builtin.file) for each path, in one step instead of half a second for each.
  - What is there keeps its content, and gets the owner, group and mode. A file or link that stands where a folder
    or file belongs is left, and is an error; so is a file that stands where a link belongs.
  - In check mode owners and groups may be missing, since an earlier step of the run would make them.
options:
  folders:
    description: Each with its C(path), C(owner), C(group) and C(mode); what is empty may be any. Parents first.
    type: list
    elements: dict
    default: []
  files:
    description: The same for files. Where one is not there, an empty one is made.
    type: list
    elements: dict
    default: []
  links:
    description: Each with its C(path), and the C(target) that it leads to.
    type: list
    elements: dict
    default: []
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Make the folders
  homeport.agent.paths:
    folders: [{path: /srv/homeport, owner: homeport, group: homeport, mode: "0750"}]
    links: [{path: /usr/local/bin/homeport, target: /opt/homeport/current/bin/homeport}]
"""

RETURN = r"""
changed_paths:
  description: Those that were made or changed; in check mode, those that would be.
  returned: always
  type: list
  elements: str
"""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

Row = dict[str, str]
KINDS: dict[str, tuple[Callable[[int], bool], Callable[[Path], None]]] = {
    "folder": (stat.S_ISDIR, lambda path: path.mkdir(parents=True)),
    "file": (stat.S_ISREG, lambda path: path.touch(exist_ok=False)),
}


def ensure(module: AnsibleModule, kind: str, row: Row) -> list[str]:
    """Make a folder or file with its owner, group and mode; what was changed of it. Raises OSError, FileExistsError."""
    fits, create = KINDS[kind]
    path = Path(row["path"])
    try:
        seen = path.stat() if kind == "folder" else path.lstat()
    except FileNotFoundError:
        if module.check_mode:
            return [f"absent → {kind}"]
        create(path)
        set_attributes(module, row)
        return [f"absent → {kind}"]
    if not fits(seen.st_mode):
        raise FileExistsError(0, f"it is no {kind}", str(path))
    return set_attributes(module, row)


def set_attributes(module: AnsibleModule, row: Row) -> list[str]:
    """Change owner, group and mode where they differ; what was changed."""
    wanted = {name: row[name] for name in ("owner", "group", "mode") if row.get(name)}
    if module.check_mode:
        for name, known in (("owner", pwd.getpwnam), ("group", grp.getgrnam)):
            if name in wanted and not exists(known, wanted[name]):
                del wanted[name]
    path = os.path.realpath(row["path"])  # a link to a folder is one, as for Ansible's own module
    diff: dict[str, Any] = {}
    arguments = module.load_file_common_arguments({**module.params, **wanted}, path=path)
    module.set_fs_attributes_if_different(arguments, False, diff=diff)
    before, after = diff.get("before", {}), diff.get("after", {})
    return [f"{name} {before.get(name)} → {after[name]}" for name in after if name != "path"]


def exists(known: Callable[[str], object], name: str) -> bool:
    try:
        known(name)
    except KeyError:
        return False
    return True


def link(module: AnsibleModule, row: Row) -> list[str]:
    """Let a path lead to a target; what was changed. Raises OSError, FileExistsError."""
    path, target = Path(row["path"]), row["target"]
    before = "absent"
    if path.is_symlink():
        before = str(path.readlink())
    elif path.exists() and not module.check_mode:
        raise FileExistsError(0, "it is no symbolic link", str(path))
    if before == target:
        return []
    if not module.check_mode:
        fresh = path.with_name(f"{path.name}.new")
        fresh.unlink(missing_ok=True)  # of a run that was interrupted
        fresh.symlink_to(target)
        fresh.replace(path)
    return [f"{before} → {target}"]


def main() -> None:
    rows = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        argument_spec={"folders": rows, "files": rows, "links": rows}, supports_check_mode=True
    )
    changed: dict[str, list[str]] = {}
    given = module.params
    steps: list[tuple[Row, Callable[[], list[str]]]] = [
        *((row, partial(ensure, module, "folder", row)) for row in given["folders"]),
        *((row, partial(ensure, module, "file", row)) for row in given["files"]),
        *((row, partial(link, module, row)) for row in given["links"]),
    ]
    for row, step in steps:
        try:
            if what := step():
                changed[row["path"]] = what
        except OSError as error:
            module.fail_json(
                msg=f"error: {row['path']} cannot be made: {error.strerror}\n"
                f"fix: look at it (ls -ld {error.filename or row['path']}), move it out of the way, and run this again",
                changed_paths=list(changed),
            )
    module.exit_json(
        changed=bool(changed),
        changed_paths=list(changed),
        diff={"prepared": "".join(f"    {path}: {', '.join(what)}\n" for path, what in changed.items())},
    )


if __name__ == "__main__":
    main()
