"""Credentials for the hosts of repositories: tokens from the settings or from `gh`, for their own host alone."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from homeportd import child_process
from homeportd.errors import HomeportError
from homeportd.preferences.service import Preferences
from homeportd.repos import address as addresses
from homeportd.repos import files
from homeportd.repos.address import Address
from homeportd.repos.discovery import working_tree
from homeportd.repos.git.errors import Remote
from homeportd.repos.preferences import GithubPreferences, GitlabPreferences

GH_S: Final = 5.0  # seconds for `gh auth token`
GH_AGE_S: Final = 60.0  # for which its answer is good
MAX_TOKEN: Final = 1000  # bytes


@dataclass(frozen=True)
class Credential:
    """A user name and a token, as git asks for them."""

    username: str
    password: str


class Credentials:
    """The tokens of the settings, each for the host of its address."""

    def __init__(self, preferences: Preferences) -> None:
        self._preferences = preferences
        self._gh: dict[str, tuple[float, str | None]] = {}

    @property
    def github(self) -> GithubPreferences:
        """The settings for GitHub."""
        return self._preferences.get("github", GithubPreferences)

    @property
    def gitlab(self) -> GitlabPreferences:
        """The settings for GitLab."""
        return self._preferences.get("gitlab", GitlabPreferences)

    @property
    def bases(self) -> tuple[str, ...]:
        """The addresses whose hosts there may be a token for, without paths."""
        return tuple(_root(url) for url in (self.github.url, self.gitlab.url))

    def remote(self, address: Address) -> Remote:
        """The other side of an address, for sentences."""
        setting = next(
            (
                f"{name}.token"
                for name, base in zip(("github", "gitlab"), self.bases, strict=True)
                if urlsplit(base).netloc == address.netloc
            ),
            None,
        )
        return Remote.of(address, setting)

    async def github_token(self) -> str | None:
        """The token for GitHub's API and repositories."""
        if self.github.token is not None:
            return self.github.token.get_secret_value()
        return await self._of_gh(urlsplit(self.github.url).hostname or "")

    async def find(self, scheme: str, netloc: str) -> Credential | None:
        """The credential for a host, given with its port as in an address; None where there is none."""
        asked = f"{scheme}://{netloc}".lower()
        if asked == _root(self.github.url):
            token = await self.github_token()
            return None if token is None else Credential("x-access-token", token)
        if asked == _root(self.gitlab.url) and self.gitlab.token is not None:
            return Credential("oauth2", self.gitlab.token.get_secret_value())
        return None

    async def for_folder(self, scheme: str, netloc: str, folder: Path) -> Credential | None:
        """The same, for git at work in `folder`, a git folder or a working tree: only for the host of its remotes."""
        if not str(folder).isprintable():
            return None
        hosts = await asyncio.to_thread(_remote_hosts, folder)
        return await self.find(scheme, netloc) if netloc.lower() in hosts else None

    async def _of_gh(self, host: str) -> str | None:
        """The token with which `gh` is logged in to a host."""
        now = asyncio.get_running_loop().time()
        known = self._gh.get(host)
        if known is None or known[0] + GH_AGE_S < now:
            known = (now, await _ask_gh(host))
            self._gh = {host: known}
        return known[1]


async def _ask_gh(host: str) -> str | None:
    program = shutil.which("gh")
    if program is None or not host:
        return None
    try:
        asked = await child_process.run(program, "auth", "token", "--hostname", host, timeout_s=GH_S)
    except OSError:  # the time-out is one
        return None
    token = asked.output[:MAX_TOKEN].decode("ascii", "replace").strip()
    return token if asked.code == 0 and token and token.isprintable() else None


def _root(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def _remote_hosts(folder: Path) -> set[str]:
    """The hosts, with ports, of all remotes of the repository that a folder is in, or is the git folder of."""
    if files.read(folder / "HEAD") is not None and (folder / "objects").is_dir():
        git_dir: Path | None = folder
    else:
        tree = working_tree(folder)
        git_dir = files.git_dir(tree) if tree is not None else None
    if git_dir is None:
        return set()
    hosts = set()
    for (section, _, key), url in files.config(files.common_dir(git_dir)).items():
        if section == "remote" and key in ("url", "pushurl"):
            with suppress(HomeportError):
                hosts.add(addresses.parse(addresses.without_user(url)).netloc.lower())
    return hosts
