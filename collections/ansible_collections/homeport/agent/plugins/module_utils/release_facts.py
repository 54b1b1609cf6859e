"""The installed releases of a program, and what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COMPLETE = ".complete"  # written last into a release
KEPT = "kept"  # the folder in a release with the files that it ran with when it was left
ANSWERED = ".answered"  # a release of the agent that has run


def releases(folder: Path, link: Path) -> dict[str, Any]:
    """Finished releases in a folder, newest first, unfinished ones, and the one in use.

    `kept` are those that were left, the last one first; `answered` those that have run.
    """
    complete, broken, kept, answered = [], [], [], []
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            marker = entry / COMPLETE
            if marker.exists():
                complete.append((marker.stat().st_mtime, entry.name))
                if (entry / KEPT).is_dir():
                    kept.append(((entry / KEPT).stat().st_mtime, entry.name))
                if (entry / ANSWERED).exists():
                    answered.append(entry.name)
            else:
                broken.append(entry.name)
    try:
        current = link.readlink().name
    except OSError:
        current = None
    return {
        "complete": [name for _, name in sorted(complete, reverse=True)],
        "broken": broken,
        "kept": [name for _, name in sorted(kept, reverse=True)],
        "answered": answered,
        "current": current,
    }
