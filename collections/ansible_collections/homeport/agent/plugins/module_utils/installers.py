"""Installers of third-party programs and of the agent: one function for each source, which fills a fresh folder.

Everything here runs on the target, so it keeps to the standard library.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils.archives import (
    ArchiveError,
    kind_of,
    place_program,
    take_plain,
    unpack,
)
from ansible_collections.homeport.agent.plugins.module_utils.downloads import DownloadError, fetch, shown

Json = dict[str, Any]

SECONDS = 900  # for one command of an installation
CHECK_SECONDS = 60  # for a program to say its version
MOST_LINES = 15  # of a command's output, in a message
LARGEST_SCRIPT = 64 * 1024  # bytes; what is larger names no interpreter by its folder
# What pip says where a file of its cache, or of the index, is not the one that was locked.
WRONG_HASH = "DO NOT MATCH THE HASHES"


class InstallError(Exception):
    """What kept a program from being installed: `error` and `fix`."""

    def __init__(self, error: str, fix: str) -> None:
        super().__init__(error)
        self.error = error
        self.fix = fix


def install_wheels(folder: Path, given: Json) -> None:
    """Make a virtual environment of locked wheels, by the pip in `installer`; `wheel` is one of our own on top."""
    run([given["python"], "-m", "venv", "--without-pip", "."], folder)
    pip = [
        "bin/python",
        given["installer"] + "/pip",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
        "install",
    ]
    pip += ["--root-user-action=ignore", "--no-deps"]
    locked = [*pip, "--require-hashes", "--only-binary=:all:", "-r", given["lock"]]
    try:
        run(locked, folder)
    except InstallError as error:
        if WRONG_HASH not in error.error:
            raise
        # A damaged file in pip's own cache would fail each run from now on.
        run([*locked, "--no-cache-dir"], folder)
    if given["wheel"]:
        run([*pip, "--no-index", given["wheel"]], folder)
    for name, pattern in given["links"].items():
        found = sorted(folder.glob(pattern))
        if len(found) != 1:
            raise InstallError(f"the wheel of {given['name']} has no {pattern}", "take another version of it")
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(found[0], link.parent))
        found[0].chmod(found[0].stat().st_mode | 0o555)


def install_npm(folder: Path, given: Json) -> None:
    """Install a locked npm project by npm ci, with its `programs` in bin/; they run on the Node that installed them.

    `nested` are folders of packages in it that have a lock of their own.
    """
    node = Path(given["node"])
    if not (node / "bin/npm").exists():
        raise InstallError(f"there is no npm in {node}", "run bin/site again: it installs Node first")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(Path(given["project"]) / name, folder / name)
        (folder / name).chmod(0o644)
    path = f"{node}/bin:{os.environ.get('PATH', '/usr/bin:/bin')}"
    with tempfile.TemporaryDirectory() as cache:
        environment = {
            # Trust what the machine trusts, as pip does; Node alone knows only the authorities built into it.
            "NODE_USE_SYSTEM_CA": "1",
            **os.environ,
            "PATH": path,
            "npm_config_cache": cache,
            "npm_config_update_notifier": "false",
        }
        command = [f"{node}/bin/npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--no-progress"]
        command += [] if given["scripts"] else ["--ignore-scripts"]
        run(command, folder, environment)
        for nested in given["nested"]:
            # A package of the lock that has a lock of its own, whose checksum is thereby in the first.
            if not (folder / nested / "npm-shrinkwrap.json").is_file():
                raise InstallError(
                    f"{given['name']} has no lock in {nested}", "correct `nested` in the table of artifacts"
                )
            # Not `ci`, which refuses a published lock that leaves optional or development packages out.
            run(["install" if word == "ci" else word for word in command], folder / nested, environment)
    (folder / "bin").mkdir(mode=0o755)
    for name in given["programs"]:
        if not (folder / "node_modules/.bin" / name).exists():
            raise InstallError(
                f"{given['name']} has no program {name}", "correct `programs` in the table of artifacts"
            )
        script = folder / "bin" / name
        script.write_text(
            "#!/bin/sh\n"
            f'PATH={shlex.quote(f"{node}/bin")}:$PATH exec {shlex.quote(f"{folder}/node_modules/.bin/{name}")} "$@"\n',
            encoding="utf-8",
        )
        script.chmod(0o755)


def install_url(folder: Path, given: Json) -> None:
    """Download and unpack an upstream release."""
    part = folder.parent / f".download-{given['sha256'][:16]}"
    try:
        fetch(given["url"], given["sha256"], part)
    except DownloadError as error:
        raise InstallError(error.error, error.fix) from error
    kind = kind_of(given["url"].split("?")[0])
    try:
        if kind == "plain":
            take_plain(part, folder, given["name"])
        else:
            unpack(part, kind, folder)
            place_program(folder, given["program"], given["name"])
    except ArchiveError as error:
        raise InstallError(
            f"{shown(given['url'])} cannot be used: {error}",
            f"correct the url of {given['name']} in artifact_urls",
        ) from error
    for left in folder.parent.glob(".download-*"):  # of other releases, too
        left.unlink()


INSTALLERS = {"wheel": install_wheels, "npm": install_npm, "url": install_url}


def run(
    command: list[str], folder: Path, environment: dict[str, str] | None = None, seconds: float = SECONDS
) -> str:
    """Run a command in a folder to its end; its output. Raises InstallError."""
    shown_command = " ".join(Path(word).name if word.startswith("/") else word for word in command[:4])
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise InstallError(
            f"{shown_command} … did not end within {seconds:g} s", "run bin/site again"
        ) from error
    except OSError as error:
        raise InstallError(
            f"{command[0]}: {error.strerror}", "see that it is there and can be executed"
        ) from error
    output = done.stdout.decode(errors="replace")
    if done.returncode:
        raise InstallError(
            f"{shown_command} … ended with {done.returncode}\n{last_lines(output)}",
            "see above; then run bin/site again",
        )
    return output


def last_lines(text: str) -> str:
    """The end of a command's output, without control characters."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-MOST_LINES:]
    return "\n".join("".join(c if c.isprintable() else "?" for c in line[:300]) for line in lines)


def check(folder: Path, command: list[str]) -> None:
    """See that a program of a fresh folder runs. Raises InstallError."""
    if command:
        run([str(folder / "bin" / command[0]), *command[1:]], folder, seconds=CHECK_SECONDS)


def move_scripts(folder: Path, final: Path) -> None:
    """Let the scripts of a folder name the place that it goes to, instead of the one where it was made."""
    before, after = os.fsencode(folder), os.fsencode(final)
    for path in (*(folder / "bin").iterdir(), folder / "pyvenv.cfg"):
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_SCRIPT:
            continue
        content = path.read_bytes()
        if before in content:
            path.write_bytes(content.replace(before, after))
