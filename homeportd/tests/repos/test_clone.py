"""Clones, of a real git server over HTTP and of folders."""

from __future__ import annotations

import asyncio
import errno
import shutil
from unittest.mock import Mock

import pytest

from homeportd.errors import Problem
from homeportd.jobs.model import State
from homeportd.repos.clone import TEMPORARY, CloneRequest, Clones
from homeportd.repos.credentials import Credentials
from homeportd.repos.git import config_file
from homeportd.repos.git.command import Git
from homeportd.repos.ssh_key import SshKeys
from homeportd.repos.user_config import UserConfig

from .conftest import git, make
from .git_server import git_server


@pytest.fixture
def served(tmp_path):
    """A git server with a repository `shop.git` with two branches; the server."""
    source = make(tmp_path / "source")
    git(source, "branch", "next")
    git(tmp_path, "clone", "-q", "--bare", str(source), "served/shop.git")
    with git_server(tmp_path / "served") as server:
        yield server


@pytest.fixture
async def clones(jobs, repos, preferences, tmp_path):
    await repos.start()
    await preferences.update({"github": {"url": "http://127.0.0.1:1"}})
    credentials = Credentials(preferences)
    keys = SshKeys(tmp_path / "ssh")
    config = UserConfig(tmp_path / "git.config", "", preferences, credentials, keys)
    return Clones(jobs, repos, Git(), credentials, keys, config)


@pytest.fixture
def clone(clones, jobs):
    async def run(address, branch=None, into=None, submodules=False):
        job = await clones.start(CloneRequest(address, branch, into, submodules))
        return await jobs.ended(job.id)

    return run


def left(root):
    return sorted(path.name for path in root.iterdir())


async def test_a_clone_is_a_repo_at_its_end(clone, served, root, repos, jobs) -> None:
    ended = await clone(f"{served.url}/shop.git")

    assert (ended.state, ended.subject, ended.error) == (State.DONE, "shop", None)
    assert repos.get("shop").remote == f"{served.url}/shop.git"
    assert (root / "shop/readme").read_text() == "hello\n"
    assert left(root) == ["shop"]
    texts = [line.text for line in await jobs.log(ended.id)]
    assert "receiving objects" in texts


@pytest.mark.parametrize("name", ["mit Leer zeichen", "quo\"te's", "größe", "-rf", "$(touch x)"])
async def test_names_of_every_kind(clone, served, root, name) -> None:
    ended = await clone(f"{served.url}/shop.git", "next", name)

    assert ended.error is None
    assert git(root / name, "branch", "--show-current") == "next"


async def test_a_cancelled_clone_leaves_nothing(clones, jobs, served, root) -> None:
    served.hold.clear()
    job = await clones.start(CloneRequest(f"{served.url}/shop.git", into="group/shop"))
    await asyncio.to_thread(served.asked.wait, 30)
    assert list(root.glob(f"group/{TEMPORARY}*/repo"))
    await jobs.cancel(job.id)

    assert (await jobs.ended(job.id)).state is State.CANCELLED
    assert left(root) == []


async def test_a_second_clone_into_the_same_folder_waits_for_nobody(clones, served) -> None:
    served.hold.clear()
    await clones.start(CloneRequest(f"{served.url}/shop.git"))
    with pytest.raises(Problem, match="under way already"):
        await clones.start(CloneRequest(f"{served.url}/shop.git"))


@pytest.mark.parametrize(
    ("address", "branch", "said"),
    [
        ("{url}/none.git", None, "no such repository, or none that you may see: {url}/none.git"),
        ("{url}/shop.git", "nope", "{url}/shop.git has no branch nope"),
        ("http://127.0.0.1:1/shop", None, "127.0.0.1 does not take connections"),
        ("ada/shop", None, "127.0.0.1 does not take connections"),
        ("/nowhere/at all", None, "no such repository, or none that you may see: /nowhere/at all"),
        ("https://name.invalid/x", None, "name.invalid is not a name that this machine can resolve"),
    ],
)
async def test_errors_are_one_sentence_with_a_fix(clone, served, root, address, branch, said) -> None:
    ended = await clone(address.format(url=served.url), branch)

    assert ended.state is State.FAILED
    assert ended.error.detail == said.format(url=served.url)
    assert ended.error.fix
    assert left(root) == []


@pytest.mark.parametrize(
    ("address", "into", "status", "said"),
    [
        ("", None, 422, "the address is empty"),
        ("--upload-pack=x", None, 422, "is no address"),
        ("ext::sh -c x", None, 422, "is no address"),
        ("file://host/x", None, 422, "nothing that Homeport clones from"),
        ("https://ada:secret@host/x", None, 422, "has a password in it"),
        ("https://host/x", "../x", 422, "under which a repo would be found"),
        ("https://host/x", "/etc/x", 422, "is not below"),
        ("https://host/x", "a/b/c/d", 422, "is no name for a repo"),
        ("https://host/.git", None, 422, "is no name for a repo"),
        ("https://host/x", "taken", 409, "exists already"),
        ("https://host/x", "mine/below", 409, "would be inside the repo"),
    ],
)
async def test_what_is_refused_at_once(clones, root, address, into, status, said) -> None:
    make(root / "mine")
    (root / "taken").mkdir()
    with pytest.raises(Problem, match=said) as refusal:
        await clones.start(CloneRequest(address, into=into))
    assert refusal.value.status == status


async def test_the_repository_that_is_there_already_is_named(clone, clones, served, root) -> None:
    await clone(f"{served.url}/shop.git")
    with pytest.raises(Problem, match="it is cloned already") as refusal:
        await clones.start(CloneRequest(f"{served.url}/shop"))
    assert refusal.value.fix.startswith("homeport pull shop")


async def test_submodules_pointers_and_shallow_history_are_told(clone, tmp_path, root) -> None:
    part = make(tmp_path / "part")
    source = make(tmp_path / "whole")
    git(source, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(part), "part")
    (source / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (source / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")
    git(source, "add", "-A")
    git(source, "commit", "-q", "-m", "more")
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{source}", "shallow")

    ended = await clone(str(tmp_path / "shallow"))

    assert ended.error is None
    told = "\n".join(ended.notes)
    assert "it has submodules" in told
    assert "1 file is a pointer of Git LFS" in told
    assert "its history is not whole" in told
    assert not list((root / "shallow/part").iterdir())


async def test_a_hostile_repository_runs_nothing(clone, tmp_path, root) -> None:
    source = make(tmp_path / "hostile")
    mark = tmp_path / "mark"
    (source / ".gitmodules").write_text(
        f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {mark}"\n\tupdate = !touch {mark}\n'
    )
    (source / ".gitattributes").write_text("* filter=evil\n")
    (source / ".lfsconfig").write_text(f'[filter "evil"]\n\tsmudge = touch {mark}\n')
    git(source, "update-index", "--add", "--cacheinfo", "160000", git(source, "rev-parse", "HEAD"), "x")
    git(source, "add", ".gitmodules", ".gitattributes", ".lfsconfig")
    git(source, "commit", "-q", "-m", "evil")
    for hook in ("post-checkout", "pre-commit", "post-merge"):
        path = source / ".git/hooks" / hook
        path.write_text(f"#!/bin/sh\ntouch {mark}\n")
        path.chmod(0o755)
    template = tmp_path / "template"
    shutil.copytree(source / ".git/hooks", template / "hooks")
    git(tmp_path, "config", "--global", "init.templateDir", str(template))

    ended = await clone(str(source), submodules=True)

    assert ended.state is State.DONE
    assert "not all submodules could be fetched" in " ".join(ended.notes)
    assert not mark.exists()
    assert not list((root / "hostile/.git").glob("hooks/*"))


async def test_what_a_killed_agent_left_is_removed(clones, root) -> None:
    (root / "group" / f"{TEMPORARY}abc/repo").mkdir(parents=True)
    make(root / "kept")

    await clones.remove_leftovers()

    assert left(root / "group") == []
    assert (root / "kept").is_dir()


async def test_where_the_agent_may_not_write_to_homes_the_users_systemd_does(
    clone, served, home, tmp_path, monkeypatch
):
    """`systemd-run` is a stand-in that runs the command; the agent's own attempt fails as under ProtectHome."""
    refused = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(config_file, "include", Mock(side_effect=refused))
    stand_in = tmp_path / "bin/systemd-run"
    stand_in.parent.mkdir()
    stand_in.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent), prepend=":")

    assert (await clone(f"{served.url}/shop.git")).error is None

    assert f'path = "{tmp_path / "git.config"}"' in (home / ".config/git/config").read_text()
