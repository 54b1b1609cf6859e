"""The part of a workstation that changes its repos: clones, updates, removals, and git's credentials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack

from fastapi import APIRouter

from homeportd.assembly.core import Core
from homeportd.repos import api as repos_api
from homeportd.repos import git_api
from homeportd.repos.clone import Clones
from homeportd.repos.credentials import Credentials
from homeportd.repos.git import config_file
from homeportd.repos.git.command import Git, helper_command
from homeportd.repos.history import RepoHistory
from homeportd.repos.hosts import api as hosts_api
from homeportd.repos.hosts.service import HostedRepos
from homeportd.repos.preferences import SECTIONS
from homeportd.repos.removal import Removals
from homeportd.repos.service import Repos
from homeportd.repos.ssh_key import SshKeys
from homeportd.repos.updates import Updates
from homeportd.repos.user_config import UserConfig


async def open_repos(
    core: Core, repos: Repos, ports: Callable[[], Iterable[tuple[int, str | None]]], stack: AsyncExitStack
) -> Sequence[APIRouter]:
    """The routers. `ports` gives (number, repo id); `stack` closes what is opened."""
    settings = core.settings
    for name, model in SECTIONS.items():
        core.preferences.declare(name, model)
    credentials = Credentials(core.preferences)
    keys = SshKeys(settings.data_dir / "ssh")
    helper = helper_command(settings.socket("cli"))
    user_config = UserConfig(
        settings.data_dir / config_file.NAME, helper, core.preferences, credentials, keys
    )
    await user_config.start()
    stack.push_async_callback(user_config.close)
    git = Git(helper, keys.options)
    clones = Clones(core.jobs, repos, git, credentials, keys, user_config)
    await clones.remove_leftovers()
    updates = Updates(core.jobs, repos, git, credentials, keys)
    removals = Removals(core.jobs, repos, git, ports)
    history = RepoHistory(core.database, repos)
    await history.start()
    stack.push_async_callback(history.close)
    return (
        git_api.router(credentials, keys, core.guard),
        hosts_api.router(HostedRepos(credentials), core.guard),
        repos_api.router(repos, clones, updates, removals, history, ports, core.guard),
    )
