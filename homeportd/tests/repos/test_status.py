"""Dirty or not, and that no program which a repo names is ever run."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from homeportd.repos import status as module
from homeportd.repos.discovery import Discovery
from homeportd.repos.status import is_dirty

from .conftest import git, make

GIT = shutil.which("git") or ""


async def dirty(path):
    """What the room says of one working tree."""
    tree = next(each for each in Discovery(path.parent).look([path]) if each.path == path)
    return await is_dirty(GIT, tree)


async def test_clean_untracked_changed_staged_removed(root):
    shop = make(root / "shop")
    assert await dirty(shop) is False
    (shop / "new").write_text("x")
    assert await dirty(shop) is True
    (shop / "new").unlink()
    (shop / "readme").write_text("changed\n")
    assert await dirty(shop) is True
    git(shop, "add", "readme")
    assert await dirty(shop) is True
    git(shop, "commit", "-q", "-m", "second")
    assert await dirty(shop) is False
    (shop / "readme").unlink()
    assert await dirty(shop) is True


async def test_a_touched_file_is_not_a_change(root):
    shop = make(root / "shop")
    os.utime(shop / "readme", (1, 1))
    index = (shop / ".git/index").read_bytes()
    assert await dirty(shop) is False
    assert (shop / ".git/index").read_bytes() == index  # nor did we write


async def test_without_a_commit(root):
    shop = make(root / "shop", commit=False)
    assert await dirty(shop) is False
    (shop / "new").write_text("x")
    assert await dirty(shop) is True


async def test_detached_worktree_packed_and_split(root):
    shop = make(root / "shop")
    git(shop, "worktree", "add", "-q", "-b", "fix", str(root / "fix"))
    git(shop, "pack-refs", "--all")
    git(shop, "gc", "-q")
    git(root / "fix", "update-index", "--split-index")
    git(shop, "checkout", "-q", "--detach")
    assert await dirty(shop) is False
    assert await dirty(root / "fix") is False
    (root / "fix/new").write_text("x")
    assert await dirty(shop) is False
    assert await dirty(root / "fix") is True


async def test_sha256(root):
    shop = root / "shop"
    shop.mkdir()
    git(shop, "init", "-q", "--object-format=sha256")
    (shop / "a").write_text("a")
    assert await dirty(shop) is True
    git(shop, "add", "a")
    git(shop, "commit", "-q", "-m", "first")
    assert await dirty(shop) is False


async def test_every_kind_of_ignore_file_counts(root, home):
    shop = make(root / "shop")
    (shop / ".gitignore").write_text("*.tree\n")
    git(shop, "add", ".gitignore")
    git(shop, "commit", "-q", "-m", "ignore")
    (shop / ".git/info").mkdir(exist_ok=True)
    (shop / ".git/info/exclude").write_text("*.repo\n")
    (home / ".gitconfig").write_text(f"[core]\nexcludesFile = {home}/ignore\n")
    (home / "ignore").write_text("*.person\n")
    for kind in ("tree", "repo", "person"):
        (shop / f"x.{kind}").write_text("x")
    assert await dirty(shop) is False


async def test_line_ends_and_modes_are_compared_as_the_repo_says(root):
    shop = make(root / "shop")
    git(shop, "config", "core.autocrlf", "true")
    git(shop, "config", "core.fileMode", "false")
    (shop / "readme").unlink()
    git(shop, "checkout", "-q", "readme")
    assert (shop / "readme").read_bytes() == b"hello\r\n"
    (shop / "readme").chmod(0o755)
    os.utime(shop / "readme", (1, 1))
    assert await dirty(shop) is False


async def test_a_commit_that_a_submodule_is_ahead_counts_and_dirt_in_it_does_not(root, tmp_path):
    make(tmp_path / "library")
    shop = make(root / "shop")
    git(
        shop,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        str(tmp_path / "library"),
        "lib",
    )
    git(shop, "commit", "-q", "-m", "library")
    (shop / "lib/new").write_text("x")
    assert await dirty(shop) is False
    assert await dirty(shop / "lib") is True
    git(shop / "lib", "add", "new")
    git(shop / "lib", "commit", "-q", "-m", "second")
    assert await dirty(shop) is True


@pytest.fixture
def trap(tmp_path):
    """A program that leaves a mark when it is run: (its path, the mark)."""
    mark = tmp_path / "mark"
    program = tmp_path / "trap"
    program.write_text(f'#!/bin/sh\necho "$0 $@" >> {mark}\ncat\n')
    program.chmod(0o755)
    return program, mark


@pytest.mark.parametrize(
    "config",
    [
        {"core.fsmonitor": "{}"},
        {"filter.any.clean": "{}", "filter.any.smudge": "{}"},
        {"filter.any.process": "{}", "filter.any.required": "true"},
        {"diff.any.textconv": "{}", "diff.any.command": "{}", "diff.external": "{}"},
        {"core.pager": "{}", "pager.status": "{}", "core.editor": "{}", "core.askPass": "{}"},
        {"core.hooksPath": "HOOKS"},
        {"alias.status": "!{}", "core.gitProxy": "{}", "credential.helper": "{}"},
        {"include.path": "INCLUDED"},
        {"extensions.worktreeConfig": "true", "include.path": "../.git/config.worktree"},
    ],
    ids=lambda config: next(iter(config)),
)
async def test_no_program_of_a_repo_is_run(root, trap, config):
    program, mark = trap
    shop = make(root / "shop")
    (shop / ".gitattributes").write_text("* filter=any diff=any\n")
    git(shop, "add", ".gitattributes")
    git(shop, "commit", "-q", "-m", "attributes")
    hooks = root / "hooks"
    hooks.mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        for folder in (hooks, shop / ".git/hooks"):
            folder.mkdir(exist_ok=True)
            shutil.copy(program, folder / name)
    included = root / "included"
    evil = f'[core]\nfsmonitor = {program}\n[filter "any"]\nclean = {program}\nprocess = {program}\n'
    included.write_text(evil)
    (shop / ".git/config.worktree").write_text(evil)
    for key, value in config.items():
        named = value.format(program).replace("HOOKS", str(hooks)).replace("INCLUDED", str(included))
        git(shop, "config", key, named)
    mark.unlink(missing_ok=True)
    # Content is compared, and so filters would run, when only the times differ.
    os.utime(shop / "readme", (1, 1))
    os.utime(shop / ".gitattributes", (1, 1))
    assert await dirty(shop) is False
    assert not mark.exists(), mark.read_text()


async def test_the_traps_would_have_caught_a_plain_git_status(root, trap):
    program, mark = trap
    shop = make(root / "shop")
    git(shop, "config", "core.fsmonitor", str(program))
    subprocess.run([GIT, "-C", str(shop), "status", "--porcelain"], capture_output=True, check=True)
    assert mark.exists()


async def test_a_partial_clone_fetches_nothing(root, trap):
    program, mark = trap
    shop = make(root / "shop")
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.url": f"ext::{program} %S",
        "remote.origin.promisor": "true",
        "remote.origin.partialCloneFilter": "blob:none",
        "protocol.ext.allow": "always",
        "core.sshCommand": str(program),
    }.items():
        git(shop, "config", key, value)
    tree = git(shop, "rev-parse", "HEAD^{tree}")
    missing = shop / ".git/objects" / tree[:2] / tree[2:]
    missing.chmod(stat.S_IRUSR | stat.S_IWUSR)
    missing.unlink()
    (shop / ".git/index").unlink()
    mark.unlink(missing_ok=True)
    assert await dirty(shop) in (None, True)
    assert not mark.exists(), mark.read_text()


async def test_another_owner_of_the_folder_is_no_matter(root):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    shop = make(root / "shop")
    for path in [shop, *shop.rglob("*")]:
        os.lchown(path, 65534, 65534)
    assert await dirty(shop) is False


async def test_damage_is_unknown_and_no_error(root):
    shop = make(root / "shop")
    (shop / ".git/index").write_bytes(b"DIRC" + bytes(100))
    assert await dirty(shop) is None


async def test_a_git_that_takes_too_long_is_ended(root, tmp_path, monkeypatch):
    shop = make(root / "shop")
    (tree,) = Discovery(root).look([])
    slow = tmp_path / "git"
    slow.write_text(f"#!/bin/sh\nsleep 60 &\necho $$ $! > {tmp_path}/pids\nwait\n")
    slow.chmod(0o755)
    pids = []
    for time_out in (0.3, 3.0, 30.0):  # it may not have begun within the first
        monkeypatch.setattr(module, "TIME_OUT", time_out)
        assert await is_dirty(str(slow), tree) is None
        if (tmp_path / "pids").exists() and (pids := (tmp_path / "pids").read_text().split()):
            break
    started, child = pids
    assert not Path(f"/proc/{started}").exists()
    async with asyncio.timeout(30):
        while not ended(child):  # noqa: ASYNC110 - it is nobody's child any more
            await asyncio.sleep(0.02)
    assert shop.exists()


def ended(pid):
    """Whether a process has, though whoever adopted it may not have noticed yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def test_a_long_list_of_changes_is_not_read(root):
    shop = make(root / "shop")
    for number in range(3000):
        (shop / f"{'x' * 60}{number}").touch()
    assert await dirty(shop) is True


async def test_nothing_is_left_behind(root, tmp_path, monkeypatch):
    shop = make(root / "shop")
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(folder))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        await dirty(shop)
    assert list(folder.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2  # asyncio's watcher of children


async def test_git_that_is_gone_is_unknown(root):
    make(root / "shop")
    (tree,) = Discovery(root).look([])
    assert await is_dirty("/nowhere/git", tree) is None


@pytest.mark.parametrize("name", ["index", "info/exclude"])
async def test_a_fifo_in_place_of_a_file_of_git_is_not_opened(root, name):
    shop = make(root / "shop")
    path = shop / ".git" / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    async with asyncio.timeout(5):
        answer = await dirty(shop)
    assert answer is (None if name == "index" else False)
