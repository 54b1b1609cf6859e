"""Addresses as people write them, and what git says as people read it. No git runs here."""

from __future__ import annotations

import pytest

from homeportd.errors import HomeportError
from homeportd.repos import address as addresses
from homeportd.repos.git import progress
from homeportd.repos.git.errors import Remote, explain

GITHUB = Remote("https://github.com/ada/shop.git", "github.com", "github.com", "github.token")
OTHER = Remote("ssh://git@git.example.com:2222/shop", "git.example.com", "[git.example.com]:2222")


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("ada/shop", "https://github.com/ada/shop.git", "shop"),
        ("ada/shop.git", "https://github.com/ada/shop.git", "shop"),
        ("https://GIT.example.com:8443/a/b.git/", "https://git.example.com:8443/a/b.git/", "b"),
        ("https://ada@bitbucket.org/ada/shop.git", "https://bitbucket.org/ada/shop.git", "shop"),
        ("git@host.example:group/sub/shop.git", "git@host.example:group/sub/shop.git", "shop"),
        ("ssh://git@host.example:2222/~ada/shop", "ssh://git@host.example:2222/~ada/shop", "shop"),
        ("host.example:shop", "host.example:shop", "shop"),
        ("/srv/a b/größe.git", "/srv/a b/größe.git", "größe"),
        ("file:///srv/shop/.git", "/srv/shop/.git", "shop"),
    ],
)
def test_addresses_that_are_taken(text, url, name) -> None:
    found = addresses.parse(text)
    assert (found.url, found.name) == (url, name)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        "-x/y z",
        "a/../b/..",
        "ext::sh -c id",
        "fd::17",
        "https://",
        "https://host:99999999/x",
    ],
)
def test_addresses_that_are_refused(text) -> None:
    with pytest.raises(HomeportError) as refusal:
        addresses.parse(text)
    assert refusal.value.fix


@pytest.mark.parametrize(
    ("remote", "said", "detail", "fix"),
    [
        (
            GITHUB,
            "remote: Repository not found.\nfatal: repository 'x' not found",
            "no such repository",
            "github.token",
        ),
        (
            OTHER,
            "ERROR: Repository not found.\nfatal: Could not read from remote",
            "no such repository",
            "right to read",
        ),
        (
            GITHUB,
            "remote: The project you were looking for could not be found",
            "no such repository",
            "github.token",
        ),
        (
            GITHUB,
            "remote: Invalid username\nfatal: Authentication failed for 'x'",
            "refuses the token",
            "github.token",
        ),
        (
            GITHUB,
            "fatal: could not read Username for 'x': terminal prompts disabled",
            "wants a login",
            "github.token",
        ),
        (
            GITHUB,
            "fatal: unable to access 'x': The requested URL returned error: 403",
            "does not let you",
            "github.token",
        ),
        (
            OTHER,
            "git@git.example.com: Permission denied (publickey).",
            "does not know this machine's SSH key",
            "ssh-key",
        ),
        (
            OTHER,
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nOffending ED25519 key in /home/a b/known_hosts:3\n"
            "Host key verification failed.",
            "is not the one that this machine knows",
            "ssh-keygen -R '[git.example.com]:2222' -f '/home/a b/known_hosts'",
        ),
        (OTHER, "Host key verification failed.", "cannot be checked", "ssh-keyscan"),
        (GITHUB, "fatal: unable to access 'x': Could not resolve host: github.com", "can resolve", "network"),
        (
            GITHUB,
            "fatal: unable to access 'x': SSL certificate problem: expired",
            "certificate of github.com",
            "sslCAInfo",
        ),
        (
            OTHER,
            "ssh: connect to host git.example.com port 22: Connection timed out",
            "does not answer",
            "network",
        ),
        (GITHUB, "error: RPC failed; curl 18\nfatal: early EOF", "ended the connection", "network"),
        (
            GITHUB,
            "fatal: unable to access 'x': The requested URL returned error: 429",
            "no more requests",
            "wait",
        ),
        (GITHUB, "fatal: write error: No space left on device", "the disk is full", "df -h"),
        (GITHUB, "fatal: https://ada:secret@host/x is odd", "git failed: https://host/x is odd", "log"),
        (GITHUB, "", "git failed: it said nothing", "log"),
    ],
)
def test_errors_of_git_are_one_sentence_with_a_fix(remote, said, detail, fix) -> None:
    found = explain(said.splitlines(), remote)
    assert detail in found.detail
    assert fix in found.fix
    assert "secret" not in found.detail
    assert "\n" not in found.detail + found.fix


def test_progress_of_git() -> None:
    found = progress.parse("Receiving objects:  42% (123/290), 1.20 MiB | 3.00 MiB/s")
    assert found == progress.Step("receiving objects", 42)
    assert progress.parse("remote: Counting objects: 100% (3/3), done.") == progress.Step(
        "counting objects", 100
    )
    assert progress.parse("Updating files: 999% (1/1)") == progress.Step("updating files", 100)
    assert progress.parse("Cloning into '/x'...") is None
