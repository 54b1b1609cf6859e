"""The installed releases of a program, and what became of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.homeport.agent.plugins.module_utils import manifest

COMPLETE = ".complete"  # what was written last into a release before there were manifests
KEPT = "kept"  # the folder in a release with the files that it ran with when it was left
ANSWERED = ".answered"  # a release of the agent that has run


def releases(folder: Path, link: Path) -> dict[str, Any]:
    """Finished releases in a folder, newest first, unfinished ones, and the one in use.

    `kept` are those that were left, the last one first; `answered` those that have run. Of the one in use, `origin` is
    what it was made from and `made` when; the former is empty where it differs from its manifest, or has none.
    """
    complete, broken, kept, answered = [], [], [], []
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            marker = entry / (manifest.MANIFEST if manifest.read(entry) else COMPLETE)
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
    state = manifest.read(folder / current) if current else {}
    return {
        "origin": state["origin"] if current and state and not manifest.damage(folder / current) else "",
        "made": state.get("made", ""),
        "complete": [name for _unused, name in sorted(complete, reverse=True)],
        "broken": broken,
        "kept": [name for _unused, name in sorted(kept, reverse=True)],
        "answered": answered,
        "current": current,
    }
