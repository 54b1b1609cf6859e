"""Reading git folders, against git itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.repos import files

from .conftest import git, make


def test_a_clone(root):
    shop = make(root / "shop", branch="feature/a-b")
    folder = files.git_dir(shop)
    assert folder == shop / ".git"
    assert files.common_dir(folder) == folder
    assert files.branch(folder) == "feature/a-b"
    assert files.head(folder, folder).commit == git(shop, "rev-parse", "HEAD")


def test_a_packed_ref(root):
    shop = make(root / "shop")
    git(shop, "pack-refs", "--all")
    assert files.head(shop / ".git", shop / ".git").commit == git(shop, "rev-parse", "HEAD")


def test_a_branch_without_a_commit(root):
    shop = make(root / "shop", commit=False)
    assert files.branch(shop / ".git") == "main"
    assert files.head(shop / ".git", shop / ".git").commit is None


def test_a_detached_head_is_shown_as_its_commit(root):
    shop = make(root / "shop")
    git(shop, "checkout", "-q", "--detach")
    assert files.branch(shop / ".git") == git(shop, "rev-parse", "--short=7", "HEAD")


def test_a_worktree(root):
    shop = make(root / "shop")
    git(shop, "worktree", "add", "-q", "-b", "fix", str(root / "shop-fix"))
    folder = files.git_dir(root / "shop-fix")
    assert folder == shop / ".git" / "worktrees" / "shop-fix"
    assert files.common_dir(folder) == shop / ".git"
    assert files.branch(folder) == "fix"
    assert files.head(folder, shop / ".git").commit == git(shop, "rev-parse", "HEAD")


def test_no_repo(root):
    (root / "empty" / ".git").mkdir(parents=True)
    (root / "file").mkdir()
    (root / "file" / ".git").write_text("something else")
    (root / "gone").mkdir()
    (root / "gone" / ".git").write_text("gitdir: /nowhere/at/all\n")
    assert [files.git_dir(root / name) for name in ("empty", "file", "gone", "none")] == [None] * 4


@pytest.mark.parametrize(
    "head", ["", "ref: refs/heads/.invalid", "ref: refs/../../etc/passwd", "ref: config", "x" * 9000]
)
def test_a_head_that_says_nothing(root, head):
    folder = make(root / "shop") / ".git"
    (folder / "HEAD").write_text(head)
    assert files.head(folder, folder) is None


def test_a_ring_of_refs_ends(root):
    folder = make(root / "shop") / ".git"
    (folder / "refs/heads/main").write_text("ref: refs/heads/main\n")
    assert files.head(folder, folder) is None


def test_a_fifo_in_place_of_a_file_blocks_nobody(root):
    folder = make(root / "shop") / ".git"
    (folder / "HEAD").unlink()
    os.mkfifo(folder / "HEAD")
    assert files.git_dir(root / "shop") is None


def test_a_config_is_read_as_git_reads_it(root):
    shop = make(root / "shop")
    for key, value in {
        "remote.up stream.url": "https://host/a b#c;d",
        "remote.origin.url": 'say "hi" \\ there',
        "core.eol": "lf",
        "section.Sub.Case.key": " blanks ",
    }.items():
        git(shop, "config", key, value)
    with (shop / ".git/config").open("a") as file:
        file.write("[core]\n\tignorecase\n\tsymlinks = false # another\n[a] b = one\\\n two\n")
    values = files.config(shop / ".git")
    assert values["remote", "up stream", "url"] == "https://host/a b#c;d"
    assert values["remote", "origin", "url"] == 'say "hi" \\ there'
    assert values["section", "Sub.Case", "key"] == " blanks "
    assert values["core", "", "eol"] == "lf"
    assert values["core", "", "symlinks"] == "false"
    assert values["core", "", "ignorecase"] == "true"
    assert values["a", "", "b"] == git(shop, "config", "a.b")
    assert files.remote(values) == 'say "hi" \\ there'


@given(st.text(max_size=200) | st.text(alphabet='[]"\\=#; \nab', max_size=60))
def test_any_config_is_read(tmp_path_factory, text):
    folder = _folder(tmp_path_factory)
    (folder / "config").write_text(text, encoding="utf-8", errors="replace")
    files.remote(files.config(folder))


_FOLDERS: list[Path] = []


def _folder(factory):
    if not _FOLDERS:
        _FOLDERS.append(factory.mktemp("config"))
    return _FOLDERS[0]
