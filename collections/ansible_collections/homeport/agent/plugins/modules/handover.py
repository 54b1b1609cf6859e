#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Give what earlier users of the agent own in its folders to the user that it serves now."""

from __future__ import annotations

DOCUMENTATION = r"""
module: handover
short_description: Give the agent's folders to another user
description:
  - Changes the owner of files and folders that belong to one of the earlier users, and of nothing else; the group
    too, where it is that user's own. Follows no link, and stays on the file system of each folder.
  - A file says that it is under way, so that an interrupted one is finished by any later run.
  - Fails where an agent still serves the data.
options:
  sources:
    description: The earlier users, by name, or by number where the account is gone.
    type: list
    elements: str
    required: true
  target:
    description: The user that it all belongs to afterwards.
    type: str
    required: true
  folders:
    description: Each with its C(path), and the C(group) that it shall have.
    type: list
    elements: dict
    required: true
  marker:
    description: The file that stands while the handover is under way.
    type: path
    required: true
  lock:
    description: The file that a running agent has locked.
    type: path
    required: true
  groups:
    description: The groups that earlier users leave; one may not be there yet.
    type: list
    elements: str
    required: true
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Hand the data over
  homeport.agent.handover:
    sources: [alice]
    target: bob
    folders: [{path: /srv/homeport/data, group: bob}]
    marker: /srv/homeport/handover.json
    lock: /srv/homeport/data/lock
    groups: [homeport]
"""

RETURN = r"""
handed:
  description: How many files and folders changed their owner; in check mode, how many would.
  returned: always
  type: int
"""

import fcntl
import grp
import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule


class Busy(Exception):
    """An agent serves the data."""


class Change(NamedTuple):
    """The owners that lose a file, each with its own group, and the user and group that get it."""

    sources: dict[int, int]
    uid: int
    gid: int


def hand_over(top: Path, change: Change, *, really: bool = True) -> int:
    """Change the owners below a folder and of itself; how many there were. Raises OSError."""
    with suppress(FileNotFoundError):
        device = top.lstat().st_dev
        count = _hand(top.parent, [top.name], None, change, really)
        for _unused, folders, files, descriptor in os.fwalk(top, follow_symlinks=False):
            inside = [name for name in folders if _device(name, descriptor) == device]
            count += _hand(top, [*inside, *files], descriptor, change, really)
            folders[:] = inside
        return count
    return 0


def _device(name: str, folder: int) -> int | None:
    with suppress(FileNotFoundError):
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_dev
    return None


def _hand(parent: Path, names: list[str], folder: int | None, change: Change, really: bool) -> int:
    """Each name is opened once, and what was opened is what is changed, whatever its owner puts there meanwhile."""
    count = 0
    for name in names:
        path = str(parent / name) if folder is None else name
        try:
            descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        except FileNotFoundError:
            continue
        try:
            seen = os.fstat(descriptor)
            if seen.st_uid in change.sources:
                count += 1
                gid = change.gid if seen.st_gid == change.sources[seen.st_uid] else -1
                if really:
                    os.chown(f"/proc/self/fd/{descriptor}", change.uid, gid)
        finally:
            os.close(descriptor)
    return count


@contextmanager
def no_agent(lock: Path) -> Iterator[None]:
    """Hold the lock that an agent holds while it serves. Raises Busy."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Busy from None
    finally:
        os.close(descriptor)


def account(name: str) -> tuple[int, int]:
    """The user and group id of a name, or of a number whose account is gone: its group went with it, or -1."""
    with suppress(KeyError):
        entry = pwd.getpwnam(name)
        return entry.pw_uid, entry.pw_gid
    with suppress(KeyError):
        grp.getgrgid(int(name))
        return int(name), -1
    return int(name), int(name)


def begin(marker: Path, sources: list[str], target: str) -> None:
    """Say durably that a handover is under way."""
    draft = marker.with_name(f"{marker.name}.new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump({"from": sources, "to": target}, file)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(0o644)
    draft.replace(marker)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "sources": {"type": "list", "elements": "str", "required": True},
            "target": {"type": "str", "required": True},
            "folders": {"type": "list", "elements": "dict", "required": True},
            "marker": {"type": "path", "required": True},
            "lock": {"type": "path", "required": True},
            "groups": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    given: dict[str, Any] = module.params
    really = not module.check_mode
    sources = dict(map(account, given["sources"]))
    folders = [(Path(folder["path"]), folder["group"]) for folder in given["folders"]]
    # In a preview the new user may not be there yet.
    uid = account(given["target"])[0] if really else -1
    handed = 0
    try:
        if really:
            begin(Path(given["marker"]), given["sources"], given["target"])
            with no_agent(Path(given["lock"])):
                for path, group in folders:
                    handed += hand_over(path, Change(sources, uid, grp.getgrnam(group).gr_gid))
            for group in (entry for entry in grp.getgrall() if entry.gr_name in given["groups"]):
                for name in set(given["sources"]).intersection(group.gr_mem):
                    module.run_command(["gpasswd", "--delete", name, group.gr_name], check_rc=True)
            Path(given["marker"]).unlink()
        else:
            handed = sum(hand_over(path, Change(sources, -1, -1), really=False) for path, _unused in folders)
    except Busy:
        module.fail_json(
            msg="error: the agent of the earlier user still runs\n"
            "fix: run bin/site without homeport_user, which starts and stops it as usual, and then again"
        )
    except OSError as error:
        module.fail_json(
            msg=f"error: {error.filename or given['target']} could not be handed over: {error.strerror}\n"
            "fix: mend that, and run bin/site again: it goes on where it stopped"
        )
    names = " ".join(str(path) for path, _unused in folders)
    module.exit_json(
        changed=True,
        handed=handed,
        diff={
            "before": {"path": names, "owner": ", ".join(given["sources"])},
            "after": {"path": names, "owner": f"{given['target']} ({handed} files and folders)"},
        },
    )


if __name__ == "__main__":
    main()
