"""The lists of repositories, against servers that behave as GitHub's and GitLab's APIs are described to."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from homeportd.errors import Problem
from homeportd.repos.credentials import Credentials
from homeportd.repos.hosts.service import HostedRepos

TOKEN = "ghp_0123456789"


class Host(ThreadingHTTPServer):
    """GitHub's `/user/repos` (below /api/v3) and GitLab's `/projects`, with `count` repositories and a rate limit."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.count = 230
        self.remaining = 60
        self.asked: list[str] = []
        self.redirect: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append(self.path)
        if self.server.redirect:
            self._answer(302, {}, {"Location": self.server.redirect})
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self._answer(401, {"message": "Bad credentials"})
        elif self.server.remaining == 0:
            self._answer(403, {"message": "API rate limit exceeded"}, self._rate())
        else:
            self.server.remaining -= 1
            page, size = int(query.get("page", 1)), int(query["per_page"])
            numbers = list(range(self.server.count))
            if parts.path == "/api/v4/projects":
                assert query["membership"] == "true"
                numbers = [number for number in numbers if query.get("search", "") in f"shop-{number}"]
                make = _gitlab
            else:
                assert parts.path == "/api/v3/user/repos"
                make = _github
            items = [make(number) for number in numbers[(page - 1) * size : page * size]]
            more = len(numbers) > page * size
            link = {"Link": f'<{self.server.url}{parts.path}?page={page + 1}>; rel="next"'} if more else {}
            self._answer(200, items, {**self._rate(), **link})

    def _rate(self) -> dict[str, str]:
        reset = str(int(time.time()) + 600)
        return {
            "X-RateLimit-Remaining": str(self.server.remaining),
            "X-RateLimit-Limit": "60",
            "X-RateLimit-Reset": reset,
        }

    def _answer(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _github(number: int) -> dict[str, object]:
    return {
        "full_name": f"ada/shop-{number}",
        "description": "the \x1b[31mred one" if number == 7 else None,
        "private": number % 2 == 0,
        "fork": False,
        "archived": False,
        "pushed_at": "2026-11-20T10:00:00Z",
        "default_branch": "main",
        "clone_url": f"https://git.example/ada/shop-{number}.git",
        "ssh_url": f"git@git.example:ada/shop-{number}.git",
    }


def _gitlab(number: int) -> dict[str, object]:
    return {
        "path_with_namespace": f"ada/shop-{number}",
        "visibility": "private",
        "http_url_to_repo": f"https://git.example/ada/shop-{number}.git",
        "ssh_url_to_repo": f"git@git.example:ada/shop-{number}.git",
    }


@contextmanager
def _served():
    with Host() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def host():
    with _served() as server:
        yield server


@pytest.fixture
async def preferences(preferences, host):
    await preferences.update({name: {"url": host.url, "token": TOKEN} for name in ("github", "gitlab")})
    return preferences


@pytest.fixture
def hosted(preferences):
    return HostedRepos(Credentials(preferences))


async def test_all_repositories_are_searched_as_one_types(hosted, host) -> None:
    first = await hosted.github("", 1)
    last = await hosted.github("", 5)
    typed = [await hosted.github(words, 1) for words in ("sho", "shop-22", "ADA 229")]

    assert (len(first.repos), first.more, first.rate.remaining) == (50, True, 57)
    assert (len(last.repos), last.more, last.complete) == (30, False, True)
    assert [repo.name for repo in typed[1].repos][:2] == ["ada/shop-22", "ada/shop-220"]
    assert [repo.name for repo in typed[2].repos] == ["ada/shop-229"]
    assert first.repos[0].private
    assert len(host.asked) == 3, "three pages, once"


async def test_what_a_host_says_cannot_steer_a_terminal(hosted) -> None:
    (found,) = (await hosted.github("red", 1)).repos
    assert found.description == "the [31mred one"


async def test_gitlab_pages_and_searches_itself(hosted) -> None:
    found = await hosted.gitlab("shop-22", 1)
    assert found.repos[0].name == "ada/shop-22"
    assert (await hosted.gitlab("", 2)).more


async def test_the_rate_limit_is_told(hosted, host) -> None:
    host.remaining = 0
    with pytest.raises(Problem, match=r"answers no more requests until 20.*rate limit") as refusal:
        await hosted.github("", 1)
    assert refusal.value.status == 429


async def test_tokens_that_are_missing_or_refused(hosted, preferences) -> None:
    await preferences.update({"github": {"token": "ghp_other"}, "gitlab": {"token": None}})
    with pytest.raises(Problem, match=r"refuses the token \(401\)") as refused:
        await hosted.github("", 1)
    with pytest.raises(Problem, match="there is no token") as missing:
        await hosted.gitlab("", 1)
    assert (refused.value.status, missing.value.status) == (409, 409)
    assert missing.value.fix == "homeport settings set gitlab.token"


async def test_a_token_does_not_follow_a_redirect(hosted, host) -> None:
    with _served() as other:
        host.redirect = f"{other.url}/api/v3/user/repos"
        with pytest.raises(Problem, match="answered with 302"):
            await hosted.github("", 1)
        assert other.asked == []


async def test_a_token_of_gh_is_used(hosted, host, preferences, tmp_path, monkeypatch) -> None:
    program = tmp_path / "gh"
    program.write_text(f'#!/bin/sh\n[ "$*" = "auth token --hostname 127.0.0.1" ] && echo {TOKEN}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    await preferences.update({"github": {"token": None}})

    assert len((await hosted.github("", 1)).repos) == 50
