#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Install one version of a program into a folder of its own, whole or not at all."""

from __future__ import annotations

DOCUMENTATION = r"""
module: artifact
short_description: Install one version of a program into a folder of its own
description:
  - Makes C(folder)/C(version) from wheels of a package index, from a locked npm project, or from an upstream release,
    and writes a manifest with the checksum of each file.
  - The folder is made under another name and takes its place at one instant, so an interrupted installation leaves
    what was there. A folder that differs from its manifest is made again.
  - Paths of files to install from are those of the controller. C(apt) installs a package of Debian, and no folder.
options:
  name:
    description: The program; its command is C(bin/NAME) in the folder, where its source does not say otherwise.
    type: str
    required: true
  folder:
    description: Where its versions are. A package of Debian has none.
    type: path
    default: ""
  current:
    description:
      - Let the link C(current) in it lead to this version, and remove versions that are neither this one nor the one
        before.
    type: bool
    default: true
  python:
    description: The Python of the virtual environment that wheels are installed into.
    type: str
    default: /usr/bin/python3
  builder:
    description: The program C(bin/build-wheel), which packs the pip that installs wheels.
    type: path
    default: ""
  artifact:
    description: Version and source, as a row of the lookup M(homeport.agent.artifacts).
    type: dict
    required: true
    suboptions:
      source:
        description: Where it comes from.
        type: str
        choices: [wheel, npm, url, apt]
        required: true
      version:
        description: The name of its folder.
        type: str
        default: ""
      origin:
        description: What exactly it is made from; a folder of another origin is made again.
        type: str
        default: ""
      check:
        description: A command below C(bin/) of the folder that has to succeed before it takes its place.
        type: list
        elements: str
        default: []
      lock:
        description: C(wheel) - the locked requirements.
        type: path
        default: ""
      wheel:
        description: C(wheel) - a wheel of our own, which is installed with them.
        type: path
        default: ""
      files:
        description: C(wheel), C(npm) - further files, each by its path in the folder.
        type: dict
        default: {}
      links:
        description: C(wheel) - links, each by its path in the folder, to the one file that a pattern finds there.
        type: dict
        default: {}
      installer:
        description: C(wheel) - pip as one file; the builder's by default.
        type: path
        default: ""
      project:
        description: C(npm) - the folder with C(package.json) and C(package-lock.json).
        type: path
        default: ""
      node:
        description: C(npm) - the folder of the Node that installs and runs it.
        type: path
        default: ""
      programs:
        description: C(npm) - the commands of the project that come into C(bin/).
        type: list
        elements: str
        default: []
      nested:
        description: C(npm) - folders of its packages that have a lock of their own, which are installed as well.
        type: list
        elements: str
        default: []
      scripts:
        description: C(npm) - run the scripts of packages that build something when they are installed.
        type: bool
        default: false
      url:
        description: C(url) - where the release's file is.
        type: str
        default: ""
      sha256:
        description: C(url) - its checksum.
        type: str
        default: ""
      program:
        description: C(url) - the path of the program in an archive; by default its only file of that name.
        type: str
        default: ""
      package:
        description: C(apt) - the package.
        type: str
        default: ""
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Install Caddy
  homeport.agent.artifact:
    name: caddy
    folder: /opt/homeport/tools/caddy
    artifact:
      source: url
      version: 2.11.9
      origin: url 2.11.9
      check: [caddy, version]
      url: https://example.com/caddy_2.11.9_linux_amd64.tar.gz
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
"""

RETURN = r"""
damage:
  description: What differed from the manifest; empty where nothing did.
  returned: success
  type: str
made:
  description: When the folder was made; another time means that it was made again.
  returned: success
  type: str
"""

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils import manifest
from ansible_collections.homeport.agent.plugins.module_utils.installers import (
    INSTALLERS,
    InstallError,
    check,
    move_scripts,
)

LOCK_SECONDS = 900  # for another installation to end
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_!-]*")


def install(given: dict[str, Any], final: Path) -> str:
    """Make a folder beside the final one, and let it take its place; when it was made."""
    fresh, old = (final.with_name(f".{final.name}.{word}") for word in ("new", "old"))
    final.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    clear(final.parent)
    fresh.mkdir(mode=0o755)
    try:
        INSTALLERS[given["source"]](fresh, given)
        for name, source in given["files"].items():
            (fresh / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copyfile(source, fresh / name)
        check(fresh, given["check"])
        move_scripts(fresh, final)
        made = manifest.write(fresh, given["origin"])
    except (InstallError, OSError):
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    for name in manifest.LATER:
        if (final / name).exists():
            (final / name).rename(fresh / name)
    os.sync()
    if os.path.lexists(final):
        final.rename(old)
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return made


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other installations out of a folder: what a run that was ended has started may still be at work."""
    os.umask(0o022)  # the agent's user reads what root installs
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    deadline = time.monotonic() + LOCK_SECONDS
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise InstallError(
                        f"another installation has been at work in {folder} for {LOCK_SECONDS} s",
                        f"look for it with: fuser -v {folder}",
                    ) from None
                time.sleep(0.2)
        yield
    finally:
        os.close(descriptor)


def clear(folder: Path) -> None:
    """Remove what interrupted installations left."""
    for entry in folder.iterdir():
        if entry.name.startswith(".") and entry.name.endswith((".new", ".old")):
            shutil.rmtree(entry, ignore_errors=True)


def switch(final: Path) -> None:
    """Let `current` lead to a version, at one instant, and remove those before the one that it led to."""
    link, fresh = final.parent / "current", final.parent / ".current.link"
    before = link.readlink().name if link.is_symlink() else ""
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(final.name)
    fresh.replace(link)
    if before == final.name:
        return  # it was made again: nothing tells which one was in use before it
    for entry in final.parent.iterdir():
        is_other = entry.is_dir() and not entry.is_symlink() and entry.name not in (final.name, before)
        if is_other and not is_running(entry):
            shutil.rmtree(entry, ignore_errors=True)


def is_running(folder: Path) -> bool:
    """Whether a process runs a program of a folder: one whose successor did not come up."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            # What it was started as: a container's root may not follow the link `exe` of others.
            program = (process / "cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue  # gone
        if Path(os.fsdecode(program)).is_relative_to(folder):
            return True
    return False


def arguments() -> dict[str, Any]:
    """The options, as DOCUMENTATION has them."""
    text, path, texts = (
        {"type": "str", "default": ""},
        {"type": "path", "default": ""},
        {"type": "list", "elements": "str", "default": []},
    )
    table = {"type": "dict", "default": {}}
    row = {
        "source": {"type": "str", "required": True, "choices": ["wheel", "npm", "url", "apt"]},
        **dict.fromkeys(("version", "origin", "program", "package", "url", "sha256"), text),
        **dict.fromkeys(("lock", "wheel", "installer", "project", "node"), path),
        **dict.fromkeys(("check", "programs", "nested"), texts),
        **dict.fromkeys(("files", "links"), table),
        "scripts": {"type": "bool", "default": False},
    }
    return {
        "name": {"type": "str", "required": True},
        "folder": path,
        "current": {"type": "bool", "default": True},
        "python": {"type": "str", "default": "/usr/bin/python3"},
        "builder": path,
        "artifact": {"type": "dict", "required": True, "options": row},
    }


def bring_about(given: dict[str, Any], final: Path, *, really: bool) -> dict[str, Any]:
    """Let a version be there, whole, and in use if it shall be; what had to be done for it."""
    state = manifest.read(final)
    made, is_same = state.get("made", ""), state.get("origin") == given["origin"]
    problem = manifest.damage(final) if is_same else "it is made from something else"
    before = f"damaged: {problem}" if state else "unfinished" if os.path.lexists(final) else "absent"
    leads = not given["current"] or os.path.realpath(final.parent / "current") == os.path.realpath(final)
    changed = bool(problem) or not leads
    if problem and really:
        made = install(given, final)
    if given["current"] and changed and really:
        switch(final)
    return {
        "changed": changed,
        "made": made,
        "damage": problem if is_same else "",
        "diff": {
            "before": {"path": str(final), "state": before if problem else "not in use"},
            "after": {"path": str(final), "state": f"made from {given['origin']}" if problem else "in use"},
        },
    }


def main() -> None:
    module = AnsibleModule(argument_spec=arguments(), supports_check_mode=True)
    given: dict[str, Any] = {**module.params, **module.params["artifact"]}
    if not VERSION.fullmatch(given["version"]):
        module.fail_json(msg=f"error: {given['version']!r} is no version\nfix: use letters, digits and .+_!-")
    final = Path(given["folder"]) / given["version"]
    try:
        with nullcontext() if module.check_mode else locked(final.parent):
            result = bring_about(given, final, really=not module.check_mode)
    except InstallError as error:
        module.fail_json(
            msg=f"error: {given['name']} {given['version']} could not be installed: {error.error}\nfix: {error.fix}"
        )
    except OSError as error:
        module.fail_json(
            msg=f"error: {error.filename or final} could not be written: {error.strerror}\n"
            "fix: mend that, and run bin/site again: it begins anew"
        )
    if result["damage"]:
        module.warn(f"{given['name']} {given['version']} was damaged ({result['damage']}), and is made again")
    module.exit_json(**result)


if __name__ == "__main__":
    main()
