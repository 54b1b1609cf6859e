"""Files of a git folder, read without git: gitrepository-layout(5), gitformat of `.git` files, git-config(1).

Plain reads of small files, each with a limit, so that no program of a repo runs and a huge file harms nobody.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_SMALL = 4 * 1024  # bytes of HEAD, a `.git` file, a loose ref
MAX_CONFIG = 256 * 1024  # bytes
MAX_PACKED_REFS = 32 * 1024 * 1024  # bytes
MAX_SYMREFS = 5

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SECTION = re.compile(r'\s*\[\s*(?P<name>[A-Za-z0-9.-]+)(?:\s+"(?P<sub>(?:[^"\\]|\\.)*)")?\s*\]')
_KEY = re.compile(r"\s*(?P<key>[A-Za-z][A-Za-z0-9-]*)\s*(?:=\s*(?P<value>.*))?$")


def read(path: Path, limit: int = MAX_SMALL) -> str | None:
    """The text of a regular file; None when it is not there, not readable, or longer than `limit` bytes."""
    try:
        # Not blocking, since a FIFO in place of a file would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        try:
            data = file.read(limit + 1)
        except OSError:
            return None
    return data.decode("utf-8", "replace") if len(data) <= limit else None


def git_dir(path: Path) -> Path | None:
    """The git folder of a working tree: `.git`, or what the file `.git` of a worktree or submodule names."""
    folder = path / ".git"
    try:
        mode = folder.stat().st_mode
    except OSError:
        return None
    if stat.S_ISREG(mode):
        text = read(folder)
        if text is None or not text.startswith("gitdir:"):
            return None
        named = text.removeprefix("gitdir:").strip("\r\n").strip()
        if not named or "\0" in named:
            return None
        folder = Path(os.path.normpath(path / named))
    return folder if read(folder / "HEAD") is not None else None


def common_dir(folder: Path) -> Path:
    """The git folder that a worktree's own one belongs to; itself for a plain clone."""
    named = (read(folder / "commondir") or "").strip()
    return Path(os.path.normpath(folder / named)) if named and "\0" not in named else folder


def branch(folder: Path) -> str | None:
    """The branch that is checked out, the first 7 digits of a detached commit, or None: HEAD says neither."""
    head = (read(folder / "HEAD") or "").strip()
    if head.startswith("ref:"):
        name = head.removeprefix("ref:").strip().removeprefix("refs/heads/")
        # A clone with reftable has this in HEAD and the truth where only git can read it.
        return None if name == ".invalid" else name[:255] or None
    return head[:7] if _COMMIT.fullmatch(head) else None


@dataclass(frozen=True)
class Head:
    """The target of HEAD: a commit id, or None on a branch without a commit yet."""

    commit: str | None


def head(folder: Path, common: Path) -> Head | None:
    """Follow HEAD to its commit; None when these files do not say (reftable, damage)."""
    text = (read(folder / "HEAD") or "").strip()
    for _ in range(MAX_SYMREFS):
        if _COMMIT.fullmatch(text):
            return Head(text)
        name = text.removeprefix("ref:").strip()
        parts = name.split("/")
        if (
            not text.startswith("ref:")
            or parts[0] != "refs"
            or any(part in ("", ".", "..") for part in parts)
        ):
            return None
        if parts[-1] == ".invalid":
            return None
        loose = read(common / name)
        if loose is None:
            packed = read(common / "packed-refs", MAX_PACKED_REFS)
            match = re.search(rf"^([0-9a-f]{{40,64}}) {re.escape(name)}$", packed or "", re.MULTILINE)
            return Head(match[1] if match else None)
        text = loose.strip()
    return None


def config(common: Path) -> Mapping[tuple[str, str, str], str]:
    """(section, subsection, key) -> last value in a repo's own config; empty when unreadable."""
    values: dict[tuple[str, str, str], str] = {}
    section, sub = "", ""
    text = (read(common / "config", MAX_CONFIG) or "").replace("\\\r\n", "").replace("\\\n", "")
    for full in text.splitlines():
        line = full
        match = _SECTION.match(line)
        if match:
            section, sub = match["name"].lower(), re.sub(r"\\(.)", r"\1", match["sub"] or "")
            line = line[match.end() :]
        found = _KEY.match(line)
        if found and section:
            values[section, sub, found["key"].lower()] = _value(found["value"])
    return values


def _value(text: str | None) -> str:
    """Unquote one value; a key alone means true."""
    if text is None:
        return "true"
    out, quoted, kept = [], False, 0
    letters = iter(text)
    for letter in letters:
        if letter == "\\":
            following = next(letters, "")
            out.append({"n": "\n", "t": "\t", "b": "\b"}.get(following, following))
        elif letter == '"':
            quoted = not quoted
        elif letter in "#;" and not quoted:
            break
        else:
            out.append(letter)
            if letter.isspace() and not quoted:
                continue
        kept = len(out)  # blanks behind the last word are not part of the value
    return "".join(out[:kept])


def remote(values: Mapping[tuple[str, str, str], str]) -> str | None:
    """The address of `origin`, or of the first remote that there is; with its credentials still in it."""
    urls = {
        sub: value for (section, sub, key), value in values.items() if (section, key) == ("remote", "url")
    }
    return urls.get("origin") or next((url for url in urls.values() if url), None)
