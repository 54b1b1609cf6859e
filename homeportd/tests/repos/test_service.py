"""The room as the agent uses it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from homeportd.repos import service as module
from homeportd.repos.discovery import Discovery
from homeportd.repos.model import WorkingTree
from homeportd.repos.service import Repos

from .conftest import git, make


async def until(true):
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 - what is looked at has no event of its own
            await asyncio.sleep(0.02)


async def test_what_is_there_is_known_at_the_start(repos, root):
    make(root / "shop")
    await repos.start()
    (shop,) = repos.all()
    assert (shop.id, shop.name, shop.branch, shop.dirty, shop.remote) == ("shop", "shop", "main", None, None)
    assert repos.of(root / "shop/web/src") == shop
    assert repos.of(root) is None


async def test_a_visited_repo_is_known_at_once_and_emitted(repos, root, tmp_path):
    elsewhere = make(tmp_path / "elsewhere")
    emitted = []
    repos.changed.subscribe(lambda: emitted.append([repo.id for repo in repos.all()]))
    await repos.start()
    await repos.visit(frozenset({elsewhere / "src"}))
    assert repos.of(elsewhere / "src").id == "elsewhere"
    await repos.visit(frozenset({elsewhere / "src"}))
    assert emitted == [["elsewhere"]]


async def test_a_left_repo_goes_with_a_later_look(repos, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.2)
    elsewhere = make(tmp_path / "elsewhere")
    await repos.start()
    await repos.visit(frozenset({elsewhere}))
    await repos.visit(frozenset())
    assert repos.all()
    await until(lambda: not repos.all())


async def test_a_new_clone_and_a_new_branch_are_noticed(repos, root, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.1)
    changed = asyncio.Event()
    repos.changed.subscribe(changed.set)
    await repos.start()
    await asyncio.to_thread(make, root / "shop")
    await until(lambda: [repo.branch for repo in repos.all()] == ["main"])
    await asyncio.to_thread(git, root / "shop", "checkout", "-q", "-b", "next")
    await until(lambda: [repo.branch for repo in repos.all()] == ["next"])
    assert changed.is_set()


async def test_dirty_is_asked_for_and_then_good_for_a_while(repos, root, monkeypatch):
    monkeypatch.setattr(module, "DIRTY_AGE", 3600.0)
    shop = make(root / "shop")
    emitted = []
    repos.changed.subscribe(lambda: emitted.append(repos.all()[0].dirty))
    await repos.start()
    await repos.refresh_dirty()
    (shop / "new").write_text("x")
    await repos.refresh_dirty()
    assert repos.all()[0].dirty is False
    monkeypatch.setattr(module, "DIRTY_AGE", 0.0)
    await asyncio.gather(*(repos.refresh_dirty() for _ in range(3)))
    assert repos.all()[0].dirty is True
    assert emitted == [None, False, True]


async def test_without_git_dirty_is_unknown(repos, root, monkeypatch):
    make(root / "shop")
    await repos.start()
    monkeypatch.setenv("PATH", "/nowhere")
    await repos.refresh_dirty()
    assert repos.all()[0].dirty is None


async def test_ids_are_the_same_after_a_restart(settings, root):
    for name in ("a/shop", "b/shop", "shop", "my blog"):
        make(root / name, commit=False)
    seen = []
    for _ in range(2):
        repos = Repos(settings)
        await repos.start()
        seen.append({repo.path: repo.id for repo in repos.all()})
        await repos.close()
    assert seen[0] == seen[1]
    assert seen[0][root / "shop"] == "shop"
    assert len(set(seen[0].values())) == 4


async def test_a_dead_file_system_holds_up_nobody_for_long(repos, root, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    real = Discovery.look
    awake = threading.Event()

    def slow(self, folders):
        assert awake.wait(60)
        return real(self, folders)

    monkeypatch.setattr(Discovery, "look", slow)
    make(root / "shop", commit=False)
    async with asyncio.timeout(30):
        await repos.start()
        await repos.visit(frozenset({root}))
    assert not repos.all()
    awake.set()
    await until(repos.all)


async def test_a_look_that_fails_is_logged_once(repos, monkeypatch, caplog):
    def fail(_self, _folders):
        raise OSError("no")

    monkeypatch.setattr(Discovery, "look", fail)
    monkeypatch.setattr(module, "PERIOD", 0.02)
    with caplog.at_level(logging.INFO):
        await repos.start()
        await asyncio.sleep(0.2)
    assert [record.getMessage() for record in caplog.records if record.name == module.__name__] == [
        "cannot look for repos: OSError: no"
    ]


class SlowReader:
    """A reader that knows one tree, answers when it may, and can be away."""

    def __init__(self, path):
        self.known = WorkingTree(path, path / ".git", path / ".git", "main", None, 65534)
        self.may_answer = asyncio.Event()
        self.away = False

    async def tree(self, folder):
        await self.may_answer.wait()
        if self.away:
            raise OSError("away")
        return self.known if folder.is_relative_to(self.known.path) else None

    async def dirty(self, folder):
        return await self.tree(folder) is not None


@pytest.fixture
async def hidden(settings, tmp_path):
    """A folder whose git folder cannot be read, what a reader tells of it, and the room that asks."""
    folder = tmp_path / "theirs"
    (folder / ".git").mkdir(parents=True)
    reader = SlowReader(folder)
    repos = Repos(settings, reader)
    yield folder, reader, repos
    reader.may_answer.set()
    await repos.close()


async def test_a_reader_that_hangs_does_not_hold_up_the_agents_own(hidden, root, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    folder, reader, repos = hidden
    await repos.start()
    await repos.visit(frozenset({folder}))
    make(root / "shop")
    await repos.visit(frozenset({folder, root / "shop"}))
    assert [repo.name for repo in repos.all()] == ["shop"]
    reader.may_answer.set()
    await until(lambda: [repo.name for repo in repos.all()] == ["shop", "theirs"])
    assert repos.of(folder / "web").owner == "nobody"
    reader.may_answer.clear()
    await repos.refresh_dirty()  # does not wait for it, and shows it when it comes
    assert [repo.dirty for repo in repos.all()] == [False, None]
    reader.may_answer.set()
    await until(lambda: [repo.dirty for repo in repos.all()] == [False, True])


async def test_a_readers_answer_holds_while_it_is_away_and_goes_with_the_process(hidden, monkeypatch):
    monkeypatch.setattr(module, "PERIOD", 0.05)
    folder, reader, repos = hidden
    reader.may_answer.set()
    await repos.start()
    await repos.visit(frozenset({folder}))
    await repos.refresh_dirty()
    assert [(repo.name, repo.dirty) for repo in repos.all()] == [("theirs", True)]
    reader.away = True
    looked = asyncio.Event()
    monkeypatch.setattr(reader, "tree", lambda _folder: looked.set() or fail())
    await looked.wait()
    assert repos.all()
    await repos.visit(frozenset())
    await until(lambda: not repos.all())


async def fail():
    raise OSError("away")


async def test_a_repo_that_holds_git_up_holds_up_nobody(repos, root, monkeypatch):
    """A FIFO as .gitignore: git waits for ever for what nobody writes."""
    monkeypatch.setattr(module, "PATIENCE", 1.0)
    for name in ("a", "b", "c", "d"):
        os.mkfifo(make(root / name) / ".gitignore")
    make(root / "shop")
    begun = []
    is_dirty = module.is_dirty
    monkeypatch.setattr(
        module, "is_dirty", lambda git, tree: begun.append(tree.path.name) or is_dirty(git, tree)
    )
    await repos.start()
    clock = asyncio.get_running_loop().time
    for _ in range(3):
        at = clock()
        await repos.refresh_dirty()
        assert clock() - at < 1.8
    await until(lambda: {repo.name: repo.dirty for repo in repos.all()}["shop"] is False)
    assert {repo.name: repo.dirty for repo in repos.all()}["a"] is None
    assert len(begun) == len(set(begun)), "one look at a repo at a time"
    await repos.close()


async def test_the_answer_of_a_slow_look_is_shown_when_it_comes(repos, root, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    make(root / "shop")
    go_on = asyncio.Event()

    async def slow(git, tree):
        await go_on.wait()
        return True

    monkeypatch.setattr(module, "is_dirty", slow)
    await repos.start()
    await repos.refresh_dirty()
    assert repos.all()[0].dirty is None
    changed = asyncio.Event()
    repos.changed.subscribe(changed.set)
    go_on.set()
    async with asyncio.timeout(30):
        await changed.wait()
    assert repos.all()[0].dirty is True
