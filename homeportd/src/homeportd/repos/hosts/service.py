"""Lists of the owner's repositories at GitHub and GitLab."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import quote, urlsplit

from homeportd.errors import Problem
from homeportd.repos.credentials import Credentials
from homeportd.repos.hosts import request
from homeportd.repos.hosts.model import PER_PAGE, HostedPage, HostedRepo, Rate, of_github, of_gitlab, search

AGE_S: Final = 60.0  # for which a list is good: one that types asks at each key
MAX_PAGES: Final = 20  # of GitHub's list that are read
GITHUB_PER_PAGE: Final = 100  # the most that GitHub gives


class HostedRepos:
    """The lists. GitHub's is read as a whole and searched here, since its search knows no private organisations."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._reading = asyncio.Lock()
        self._key: tuple[str, str] | None = None
        self._read_at = 0.0
        self._repos: tuple[HostedRepo, ...] = ()
        self._rate = Rate()
        self._complete = True

    async def github(self, words: str, page: int, *, refresh: bool = False) -> HostedPage:
        """A page of the repositories at GitHub that match. Raises Problem 409, 429, 502."""
        token = await self._credentials.github_token()
        if token is None:
            raise _no_token(self._credentials.github.url, "github", "; or gh auth login")
        async with self._reading:
            now = asyncio.get_running_loop().time()
            key = (self._credentials.github.url, token)
            if refresh or key != self._key or now - self._read_at > AGE_S:
                await self._read_github(*key)
                self._key, self._read_at = key, now
        found, more = search(self._repos, words, page)
        return HostedPage(found, page, more, self._rate, self._complete)

    async def gitlab(self, words: str, page: int) -> HostedPage:
        """A page of the repositories at GitLab that match. Raises Problem 409, 429, 502."""
        settings = self._credentials.gitlab
        if settings.token is None:
            raise _no_token(settings.url, "gitlab", "")
        url = (
            f"{settings.url}/api/v4/projects?membership=true&order_by=last_activity_at&search={quote(words, safe='')}"
            f"&search_namespaces=true&per_page={PER_PAGE}&page={page}"
        )
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        answer = await asyncio.to_thread(request.get, url, headers, "gitlab.token")
        return HostedPage(tuple(map(of_gitlab, answer.items)), page, answer.more, answer.rate)

    async def _read_github(self, base: str, token: str) -> None:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        found: list[HostedRepo] = []
        for page in range(1, MAX_PAGES + 1):
            url = f"{_api(base)}/user/repos?sort=pushed&per_page={GITHUB_PER_PAGE}&page={page}"
            answer = await asyncio.to_thread(request.get, url, headers, "github.token")
            found += map(of_github, answer.items)
            self._rate, self._complete = answer.rate, not answer.more
            if not answer.more:
                break
        self._repos = tuple(found)


def _api(base: str) -> str:
    """The address of the API: GitHub's own, or an Enterprise server's."""
    return (
        "https://api.github.com"
        if urlsplit(base).hostname in ("github.com", "www.github.com")
        else f"{base}/api/v3"
    )


def _no_token(url: str, name: str, other: str) -> Problem:
    host = urlsplit(url).netloc
    return Problem(409, f"there is no token for {host}", f"homeport settings set {name}.token{other}")
