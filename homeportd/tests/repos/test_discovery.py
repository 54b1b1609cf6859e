"""Which working trees are found, and that looking again costs little."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeportd.repos import discovery as module
from homeportd.repos.discovery import Discovery, is_hidden, working_tree

from .conftest import git, make


def found(root, *folders):
    return [tree.path for tree in Discovery(root).look([Path(each) for each in folders])]


def test_repos_are_found_three_levels_deep_and_not_within_one_another(root):
    expected = [make(root / name, commit=False) for name in ("a", "github.com/ada/b", "x/c")]
    make(root / "a/inner", commit=False)
    make(root / "too/deep/by/one", commit=False)
    for skipped in ("node_modules/p", ".cache/q"):
        make(root / skipped, commit=False)
    (root / "plain/folder").mkdir(parents=True)
    assert found(root) == sorted(expected)


def test_links_are_not_followed(root, tmp_path):
    make(tmp_path / "elsewhere", commit=False)
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "ring").symlink_to(root)
    assert found(root) == []


def test_the_repo_around_a_process_is_found_wherever_it_is(root, tmp_path):
    shop = make(tmp_path / "elsewhere", commit=False)
    (shop / "web/src").mkdir(parents=True)
    assert found(root, shop / "web/src") == [shop]
    assert found(root, tmp_path, "/", "/nowhere") == []


def test_the_nearest_repo_counts(root):
    outer = make(root / "outer", commit=False)
    inner = make(outer / "vendor/inner", commit=False)
    assert working_tree(inner / "src") == inner
    assert found(root, inner) == [outer, inner]


def test_a_linked_worktree_is_one_of_its_own(root):
    shop = make(root / "shop")
    git(shop, "remote", "add", "origin", "https://ada:secret@host/shop")
    git(shop, "worktree", "add", "-q", "-b", "fix", str(root / "fix"))
    git(shop, "worktree", "add", "-q", "--detach", str(root / "old"))
    trees = {tree.path.name: tree for tree in Discovery(root).look([])}
    assert {name: tree.branch for name, tree in trees.items()} == {
        "shop": "main",
        "fix": "fix",
        "old": git(shop, "rev-parse", "HEAD")[:7],
    }
    assert {tree.remote for tree in trees.values()} == {"https://host/shop"}


def test_changes_are_noticed(root):
    looking = Discovery(root)
    assert looking.look([]) == ()
    shop = make(root / "x/shop")
    assert [tree.branch for tree in looking.look([])] == ["main"]
    git(shop, "checkout", "-q", "-b", "next")
    git(shop, "remote", "add", "origin", "https://host/shop")
    assert [(tree.branch, tree.remote) for tree in looking.look([])] == [("next", "https://host/shop")]
    shop.rename(root / "gone")
    assert [tree.path.name for tree in looking.look([])] == ["gone"]


def age(root):
    """Have everything there been changed long ago."""
    for path in [root, *root.rglob("*")]:
        os.utime(path, (1, 1))


def test_a_folder_that_did_not_change_is_not_listed_again(root, monkeypatch):
    for number in range(5):
        make(root / f"x/{number}", commit=False)
    age(root)
    looking = Discovery(root)
    before = looking.look([])
    assert len(before) == 5
    monkeypatch.setattr(module, "_list", lambda folder: pytest.fail(f"{folder} was listed"))
    monkeypatch.setattr(module.files, "config", lambda folder: pytest.fail(f"{folder} was read"))
    assert looking.look([]) == before


def test_two_changes_within_one_tick_of_the_clock_are_noticed(root):
    make(root / "a")
    looking = Discovery(root)
    assert [tree.path.name for tree in looking.look([])] == ["a"]
    stamps = {path: path.stat() for path in (root, root / "a/.git", root / "a/.git/HEAD")}
    make(root / "b", commit=False)
    with (root / "a/.git/HEAD").open("r+") as file:
        file.write("ref: refs/heads/next")
    for path, was in stamps.items():  # as a kernel leaves it whose clock did not tick in between
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    assert {tree.path.name: tree.branch for tree in looking.look([])} == {"a": "next", "b": "main"}


def test_names_that_could_not_be_shown_are_left_out(root):
    make(root / os.fsdecode(b"\xff"), commit=False)
    make(root / "good", commit=False)
    assert [path.name for path in found(root)] == ["good"]


def test_numbers_are_bounded(root, monkeypatch):
    for number in range(6):
        make(root / str(number), commit=False)
    monkeypatch.setattr(module, "MAX_REPOS", 3)
    assert len(found(root)) == 3


def test_no_root_is_no_error(tmp_path):
    assert found(tmp_path / "none") == []


def test_a_folder_hides_a_tree_where_its_git_folder_cannot_be_read(root):
    shop = make(root / "shop")
    (shop / "web").mkdir()
    assert not is_hidden(shop / "web")
    assert not is_hidden(root)
    (shop / "web/.git").mkdir()
    assert is_hidden(shop / "web")
    assert not is_hidden(Path("shop"))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_tree_that_was_given_away_has_its_new_owner(root):
    shop = make(root / "shop")
    for path in (shop / ".git", shop / ".git/HEAD", shop / ".git/config"):
        os.utime(path, (1, 1))
    discovery = Discovery(root)
    assert [tree.uid for tree in discovery.look([])] == [0]
    os.chown(shop, 65534, -1)
    assert [tree.uid for tree in discovery.look([])] == [65534]
