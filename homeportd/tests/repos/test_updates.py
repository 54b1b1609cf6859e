"""Pulls, fetches and removals of real repos."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from homeportd.errors import Problem
from homeportd.jobs.model import State
from homeportd.repos.credentials import Credentials
from homeportd.repos.git.command import Git
from homeportd.repos.git.own_config import unknown
from homeportd.repos.removal import Removals
from homeportd.repos.ssh_key import SshKeys
from homeportd.repos.updates import Updates

from .conftest import git, make


@pytest.fixture
def source(tmp_path):
    """The repository that `shop` is a clone of."""
    return make(tmp_path / "source")


@pytest.fixture
async def shop(source, root, repos):
    """A clone, which the room knows; its folder."""
    git(root, "clone", "-q", str(source), "shop")
    git(root / "shop", "config", "user.email", "ada@example.com")
    await repos.start()
    return root / "shop"


@pytest.fixture
def updates(jobs, repos, preferences, tmp_path):
    return Updates(jobs, repos, Git(), Credentials(preferences), SshKeys(tmp_path / "ssh"))


@pytest.fixture
def listening():
    return []


@pytest.fixture
def removals(jobs, repos, listening):
    return Removals(jobs, repos, Git(), lambda: listening)


def commit(folder, name="readme", text="more\n"):
    (folder / name).write_text(text)
    git(folder, "add", name)
    git(folder, "commit", "-q", "-m", f"change {name}")


async def ended(jobs, job):
    return await jobs.ended((await job).id)


async def test_a_pull_is_a_fast_forward(updates, jobs, source, shop, repos) -> None:
    commit(source)
    commit(source, "other")

    first = await ended(jobs, updates.pull("shop"))
    second = await ended(jobs, updates.pull("shop"))

    assert (first.state, first.notes) == (State.DONE, ("main has 2 commits more, from origin/main",))
    assert (shop / "other").exists()
    assert second.notes == ("main is up to date with origin/main",)
    state = await updates.state(repos.get("shop"))
    assert (state.upstream, state.ahead, state.behind, state.commit.subject) == (
        "origin/main",
        0,
        0,
        "change other",
    )


async def test_a_pull_that_is_none_says_what_differs_and_changes_nothing(updates, jobs, source, shop) -> None:
    commit(source, "theirs")
    commit(shop, "ours")
    before = git(shop, "rev-parse", "HEAD")

    job = await ended(jobs, updates.pull("shop"))

    assert job.state is State.FAILED
    assert job.error.detail.startswith("main and origin/main differ: 1 commit here, 1 commit there")
    log = "\n".join(line.text for line in await jobs.log(job.id))
    assert "change ours" in log
    assert "change theirs" in log
    assert git(shop, "rev-parse", "HEAD") == before


async def test_a_pull_does_not_overwrite_changes(updates, jobs, source, shop) -> None:
    commit(source)
    (shop / "readme").write_text("mine\n")

    job = await ended(jobs, updates.pull("shop"))

    assert job.error.detail == "readme would be overwritten; nothing was changed"
    assert (shop / "readme").read_text() == "mine\n"


async def test_a_fetch_leaves_branches_alone(updates, jobs, source, shop, repos) -> None:
    commit(source)
    job = await ended(jobs, updates.fetch("shop"))

    assert job.state is State.DONE
    state = await updates.state(repos.get("shop"))
    assert (state.ahead, state.behind) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("switch", "-q", "--detach"), "is at a commit, not on a branch"),
        (("switch", "-q", "-c", "own"), "has no branch at a remote that it follows"),
        (
            ("remote", "set-url", "origin", "/nowhere"),
            "no such repository, or none that you may see: /nowhere",
        ),
        (("remote", "remove", "origin"), "has no branch at a remote that it follows"),
    ],
)
async def test_what_cannot_be_pulled(updates, jobs, shop, arguments, said) -> None:
    git(shop, *arguments)
    job = await ended(jobs, updates.pull("shop"))
    assert said in job.error.detail


@pytest.mark.parametrize(
    "setting",
    [
        ("core.sshCommand", "touch {mark}"),
        ("remote.origin.uploadpack", "touch {mark}; git-upload-pack"),
        ("remote.origin.vcs", "evil"),
        ("credential.helper", "!touch {mark}"),
        ("filter.evil.smudge", "touch {mark}"),
        ("include.path", "{mark}.config"),
        ("url.ext::touch.insteadOf", "/"),
        ("filter.lfs.process", "touch {mark}"),
    ],
)
async def test_the_config_of_a_hostile_repository_is_not_used(
    updates, jobs, source, shop, tmp_path, setting, removals
) -> None:
    mark = tmp_path / "mark"
    name, value = setting
    git(shop, "config", name, value.format(mark=mark))
    (shop / ".git/info").mkdir(exist_ok=True)
    (shop / ".git/info/attributes").write_text("* filter=evil\n")
    commit(source)

    job = await ended(jobs, updates.pull("shop"))

    assert job.state is State.FAILED
    assert "the repository's own git config has" in job.error.detail
    assert name.rpartition(".")[2].lower() in job.error.detail.lower()
    with pytest.raises(Problem, match="own git config"):
        await removals.start("shop", force=False)
    assert not mark.exists()


async def test_hooks_of_a_repository_do_not_run(updates, jobs, source, shop, tmp_path) -> None:
    mark = tmp_path / "mark"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-merge", "post-checkout", "reference-transaction", "post-index-change", "fsmonitor"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {mark}\n")
        (hooks / hook).chmod(0o755)
    git(shop, "config", "core.fsmonitor", str(hooks / "fsmonitor"))
    git(shop, "config", "core.hooksPath", str(hooks))
    mark.unlink(missing_ok=True)
    commit(source)

    assert (await ended(jobs, updates.pull("shop"))).state is State.DONE
    assert not mark.exists()


async def test_a_token_in_an_old_remote_is_not_shown(updates, jobs, shop) -> None:
    git(shop, "remote", "set-url", "origin", "http://ada:ghp_secret@127.0.0.1:1/shop.git")
    job = await ended(jobs, updates.fetch("shop"))

    assert job.error.detail == "127.0.0.1 does not take connections"
    said = [job.error.fix, *(line.text for line in await jobs.log(job.id))]
    assert "ghp_secret" not in " ".join(said)


def test_keys_that_are_known_as_harmless() -> None:
    known = "core.bare\nfalse\0branch.a.b.merge\nx\0filter.lfs.process\ngit-lfs filter-process\0alias.x\n!y\0"
    assert unknown(known) == []
    for key in (
        "diff.x.textconv",
        "merge.x.driver",
        "core.gitproxy",
        "diff.external",
        "pager.log",
        "core.worktree",
    ):
        assert unknown(f"{key}\nx\0") == [key]


async def test_a_clean_repo_is_removed(removals, jobs, repos, shop) -> None:
    job = await ended(jobs, removals.start("shop", force=False))

    assert (job.state, job.notes) == (State.DONE, ())
    assert not shop.exists()
    assert list(shop.parent.iterdir()) == []
    assert repos.all() == ()


async def test_work_that_would_be_lost_is_named(removals, jobs, repos, shop, tmp_path, listening) -> None:
    commit(shop, "a")
    git(shop, "switch", "-q", "-c", "next")
    commit(shop, "b")
    (shop / "readme").write_text("stashed\n")
    git(shop, "stash", "-q")
    (shop / "untracked").write_text("x")
    git(shop, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    listening.append((5173, "shop"))
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=shop, stdin=subprocess.PIPE) as process:
        with pytest.raises(Problem) as refusal:
            await removals.start("shop", force=False)
        process.communicate(b"\n")

    detail = refusal.value.detail
    assert refusal.value.status == 409
    for part in (
        "port 5173 in use",
        f"({process.pid})",
        "uncommitted changes",
        "main (1 commit)",
        "next (2 commits)",
        "1 stash",
        f"linked worktrees: {tmp_path / 'linked'}",
    ):
        assert part in detail
    assert (shop / "untracked").exists()
    assert "--force" in refusal.value.fix

    assert (await ended(jobs, removals.start("shop", force=True))).state is State.DONE
    assert not shop.exists()


async def test_commits_of_a_detached_head_are_seen(removals, shop) -> None:
    git(shop, "switch", "-q", "--detach")
    commit(shop, "a")
    with pytest.raises(Problem, match=r"a detached HEAD \(1 commit\)"):
        await removals.start("shop", force=False)


async def test_what_is_not_below_the_repo_root_is_not_removed(removals, repos, tmp_path, shop) -> None:
    other = make(tmp_path / "elsewhere")
    await repos.visit(frozenset({other}))
    with pytest.raises(Problem, match="not Homeport's to remove"):
        await removals.start("elsewhere", force=True)
    with pytest.raises(Problem, match="does not exist"):
        await removals.start("nothing", force=True)


@pytest.mark.skipif(os.getuid() != 0, reason="gives a repo to another user")
async def test_a_repo_of_somebody_else_is_left_alone(removals, updates, repos, shop) -> None:
    os.chown(shop, 65534, 65534)
    await repos.look()
    for work in (removals.start("shop", force=True), updates.pull("shop")):
        with pytest.raises(Problem, match="changes nothing in it"):
            await work
