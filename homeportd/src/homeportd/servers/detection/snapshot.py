"""The snapshot of a repo's files, read within bounds: nothing of the repo runs, and no link leads out of it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from homeportd.repos import files
from homeportd.servers.detection.model import Files

MAX_DEPTH: Final = 3  # folders below the repo
MAX_FOLDERS: Final = 300
MAX_ENTRIES: Final = 1000  # of one folder
MAX_TEXTS: Final = 200  # files that are read
MAX_TEXT: Final = 256 * 1024  # bytes of one

_SKIPPED = frozenset(
    (
        "node_modules",
        "vendor",
        "target",
        "dist",
        "build",
        "out",
        "venv",
        "env",
        "__pycache__",
        "site-packages",
        "coverage",
        "tmp",
        "log",
        "deps",
        "_build",
        "test",
        "tests",
        "docs",
        "examples",
        "fixtures",
        "public",
        "static",
        "assets",
    )
)
_READ = re.compile(
    r"package\.json|turbo\.json|pnpm-workspace\.yaml|lerna\.json|angular\.json|Procfile(\.dev)?|devcontainer\.json|"
    r"pyproject\.toml|requirements([-.\w]*)\.txt|Pipfile|manage\.py|(app|main|wsgi|asgi|server|api|run|streamlit_app|Home|"
    r"__init__)\.py|Cargo\.toml|go\.mod|main\.go|Gemfile|mix\.exs|composer\.json|[Mm]akefile|GNUmakefile|"
    r"(hugo|config)\.(toml|ya?ml|json)|_config\.yml|\.env(\.development)?|Rocket\.toml|"
    r"(vite|astro|nuxt|next|svelte|react-router|rsbuild|webpack|storybook|vue)\.config\.[cm]?[jt]s"
)


def snapshot(root: Path) -> Files:
    """The files of a repo down to MAX_DEPTH folders, blocking. A folder that cannot be read has none."""
    paths: set[str] = set()
    texts: dict[str, str] = {}
    waiting = [("", 0)]
    looked = 0
    while waiting and looked < MAX_FOLDERS:
        folder, depth = waiting.pop(0)
        looked += 1
        for name, is_folder in _entries(root / folder):
            path = f"{folder}/{name}" if folder else name
            if is_folder:
                hidden = name.startswith(".") and name != ".devcontainer"
                if depth < MAX_DEPTH and name not in _SKIPPED and not hidden:
                    waiting.append((path, depth + 1))
                continue
            paths.add(path)
            if len(texts) < MAX_TEXTS and _READ.fullmatch(name):
                text = files.read(root / path, MAX_TEXT)
                if text is not None:
                    texts[path] = text
    for path in (".venv/bin/python", "venv/bin/python"):
        if os.access(root / path, os.X_OK):
            paths.add(path)
    return Files(frozenset(paths), texts)


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """(Name, whether it is a folder) of each entry, files first. Links and names that cannot be shown are left out."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for number, entry in enumerate(entries):
                if number >= MAX_ENTRIES:
                    break
                if not entry.name.isprintable():
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.name, True))
                elif entry.is_file(follow_symlinks=False):
                    found.append((entry.name, False))
    except OSError:
        return []
    return sorted(found, key=lambda entry: (entry[1], entry[0]))
