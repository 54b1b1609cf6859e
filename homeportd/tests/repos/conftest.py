"""Real git repositories."""

from __future__ import annotations

import os
import subprocess

import pytest

from homeportd.preferences.service import Preferences
from homeportd.preferences.store import PreferenceStore
from homeportd.repos.preferences import SECTIONS
from homeportd.repos.service import Repos
from homeportd.settings import Settings

WHO = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(folder, *arguments):
    """Run git in a folder; its output."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **WHO},
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without a git config of its own."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"):  # bin/test has a config of its own for all tests
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def preferences(database):
    """The settings of this room, with their defaults."""
    made = Preferences(PreferenceStore(database), b"k" * 32)
    for name, model in SECTIONS.items():
        made.declare(name, model)
    return made


@pytest.fixture
def root(tmp_path):
    """An empty repo root."""
    made = tmp_path / "repos"
    made.mkdir()
    return made


def make(path, *, commit=True, branch="main"):
    """A repo, with one committed file unless told otherwise."""
    path.mkdir(parents=True, exist_ok=True)
    git(path, "init", "-q", "-b", branch)
    if commit:
        (path / "readme").write_text("hello\n")
        git(path, "add", "readme")
        git(path, "commit", "-q", "-m", "first")
    return path


@pytest.fixture
def settings(root, tmp_path):
    """Settings with that root."""
    return Settings(
        origin="http://{port}.localhost:8080",
        port_ranges=("3000-9999",),
        repo_root=root,
        data_dir=tmp_path,
        socket_dir=tmp_path,
    )


@pytest.fixture
async def repos(settings):
    """The room, not yet started."""
    made = Repos(settings)
    yield made
    await made.close()
