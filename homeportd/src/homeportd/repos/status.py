"""Whether a working tree has changes, without running anything that the repo asks for.

`git status` may start programs that a repo's own config names: `core.fsmonitor`, clean filters of any name,
hooks, and with a partial clone a transport with its `core.sshCommand`. A list of such keys would age, so git
is not shown that config at all: it works on a borrowed folder with a config of ours, and takes from the repo
only its index, objects and exclude file, which are data. The person's own config (for their global ignore
file) is trusted, as is git itself.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from homeportd.repos import files
from homeportd.repos.model import WorkingTree

TIME_OUT = 10.0  # seconds for one working tree
MAX_SHARED_INDEXES = 64

# Keys of a repo's config that say how its files are to be compared, and are no more than a word or number.
_COMPARISON = (
    "filemode",
    "autocrlf",
    "eol",
    "ignorecase",
    "symlinks",
    "precomposeunicode",
    "checkstat",
    "trustctime",
)
_WORD = re.compile(r"[A-Za-z0-9-]{1,16}")


async def is_dirty(git: str, tree: WorkingTree) -> bool | None:
    """True with changed, staged or untracked files, None when git cannot tell or takes longer than TIME_OUT.

    Commits that a submodule is ahead count; what lies about inside a submodule does not.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="homeport-status-") as name:
            borrowed = Path(name)
            if not await asyncio.to_thread(_borrow, tree, borrowed):
                return None
            return await _status(git, tree, borrowed)
    except OSError:
        return None


def _borrow(tree: WorkingTree, borrowed: Path) -> bool:
    """Fill the folder that git takes for the repo's; says whether HEAD could be read."""
    head = files.head(tree.git_dir, tree.common_dir)
    if head is None:
        return False
    (borrowed / "HEAD").write_text(f"{head.commit}\n" if head.commit else "ref: refs/heads/unborn\n")
    (borrowed / "refs").mkdir()
    (borrowed / "info").mkdir()
    (borrowed / "config").write_text(_config(files.config(tree.common_dir)))
    # Git waits for ever for somebody to write to a FIFO that stands in a file's place.
    exclude, index = tree.common_dir / "info" / "exclude", tree.git_dir / "index"
    if exclude.is_file():
        (borrowed / "info" / "exclude").symlink_to(exclude)
    if os.path.lexists(index) and not index.is_file():
        return False
    shared = [
        path for path, _ in zip(tree.git_dir.glob("sharedindex.*"), range(MAX_SHARED_INDEXES), strict=False)
    ]
    for path in shared:
        if path.is_file():
            (borrowed / path.name).symlink_to(path)
    return True


def _config(values: Mapping[tuple[str, str, str], str]) -> str:
    kept = {key: values.get(("core", "", key), "") for key in _COMPARISON}
    lines = ["[core]", "bare = false"]
    lines += [f"{key} = {value}" for key, value in kept.items() if _WORD.fullmatch(value)]
    if values.get(("extensions", "", "objectformat"), "").lower() == "sha256":
        lines += ["repositoryformatversion = 1", "[extensions]", "objectformat = sha256"]
    else:
        lines += ["repositoryformatversion = 0"]
    return "\n".join(lines) + "\n"


def _environment(tree: WorkingTree, borrowed: Path) -> dict[str, str]:
    kept = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "GIT_CONFIG_NOSYSTEM")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "LC_ALL": "C",
        "GIT_DIR": str(borrowed),
        "GIT_WORK_TREE": str(tree.path),
        "GIT_INDEX_FILE": str(tree.git_dir / "index"),
        "GIT_OBJECT_DIRECTORY": str(tree.common_dir / "objects"),
        "GIT_OPTIONAL_LOCKS": "0",  # never write the index: another git may be at work
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_ALLOW_PROTOCOL": "none",  # the same for a git that does not know the line above
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
    }


async def _status(git: str, tree: WorkingTree, borrowed: Path) -> bool | None:
    config = ("core.fsmonitor=false", "core.hooksPath=/dev/null", "core.untrackedCache=keep")
    options = [word for pair in config for word in ("-c", pair)]
    process = await asyncio.create_subprocess_exec(
        git,
        "--no-pager",
        *options,
        "status",
        "--porcelain",
        "-z",
        "--untracked-files=normal",
        "--ignore-submodules=dirty",
        "--no-renames",
        cwd=tree.path,
        env=_environment(tree, borrowed),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    try:
        async with asyncio.timeout(TIME_OUT):
            if await process.stdout.read(1):
                return True  # one change is enough: the list may be long
            return False if await process.wait() == 0 else None
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its own session: filters of the person end with it
        # Read what is left, so that the pipe is closed when this returns.
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await process.communicate()
