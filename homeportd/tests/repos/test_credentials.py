"""Git with the credential helper of a real agent, in terminals as in clones, at a git server with a password."""

from __future__ import annotations

import os
import subprocess

import pytest

from ..freeports import free_ports
from ..installation import Installation, program, socket_folder, wait_for
from .conftest import git as plain_git
from .conftest import make
from .git_server import git_server

TOKEN = "ghp_0123456789abcdef"


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """An agent with an own home, and a git server that wants TOKEN; (installation, server, home)."""
    folder = tmp_path_factory.mktemp("day")
    home = folder / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch, socket_folder() as sockets:
        patch.setenv("HOME", str(home))
        for name in (
            "XDG_CONFIG_HOME",
            "GIT_CONFIG_GLOBAL",
            "GIT_AUTHOR_NAME",
            "GIT_AUTHOR_EMAIL",
            "GIT_COMMITTER_NAME",
            "GIT_COMMITTER_EMAIL",
            "EMAIL",
        ):
            patch.delenv(name, raising=False)
        source = make(folder / "source")
        plain_git(folder, "clone", "-q", "--bare", str(source), "served/ada/shop.git")
        with git_server(folder / "served") as server:
            server.password = TOKEN
            front, first = free_ports(2)
            made = Installation(folder, sockets, front, first, first)
            made.configure()
            try:
                made.start_agent()
                yield made, server, home
            finally:
                made.end()


@pytest.fixture(autouse=True)
def home(day, monkeypatch):
    """The home of the agent's user, of each test too."""
    monkeypatch.setenv("HOME", str(day[2]))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    return day[2]


def homeport(made, *arguments, input=""):
    return subprocess.run(
        [program("homeport"), *arguments],
        input=input,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "HOMEPORT_CONFIG": str(made.config)},
    )


def git(folder, *arguments):
    """Git as a person has it in a terminal."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GIT_TERMINAL_PROMPT": "0"},
    )


def test_from_settings_to_a_push_without_a_secret_anywhere(day) -> None:
    made, server, home = day
    (home / ".gitconfig").write_text("[user]\n\tname = Own Name\n")

    refused = homeport(made, "clone", f"{server.url}/ada/shop.git")
    assert refused.returncode == 1
    assert "wants a login, or has no such repository" in refused.stderr

    assert homeport(made, "settings", "set", "github.url", server.url).returncode == 0
    assert homeport(made, "settings", "set", "github.token", TOKEN).returncode == 2
    assert homeport(made, "settings", "set", "github.token", "--stdin", input=f"{TOKEN}\n").returncode == 0
    assert homeport(made, "settings", "set", "git.name", "Ada Lovelace").returncode == 0
    made.call("PUT", "/api/settings", {"git": {"email": "ada@example.com"}})
    listed = homeport(made, "settings")
    assert "github.token" in listed.stdout
    assert TOKEN not in listed.stdout

    cloned = homeport(made, "clone", "ada/shop")
    assert cloned.returncode == 0, cloned.stderr
    repo = made.folder / "repos/shop"
    assert cloned.stdout.splitlines()[-1] == str(repo)

    (repo / "readme").write_text("changed\n")
    committed = git(repo, "commit", "-am", "second")
    assert committed.returncode == 0, committed.stderr
    assert git(repo, "log", "-1", "--format=%an <%ae>").stdout == "Own Name <ada@example.com>\n"
    pushed = git(repo, "push")
    assert pushed.returncode == 0, pushed.stderr
    assert plain_git(made.folder / "served/ada/shop.git", "log", "-1", "--format=%s", "main") == "second"

    for file in [
        *home.rglob("*"),
        *repo.rglob("*"),
        *made.folder.glob("*.log"),
        *(made.folder / "data").rglob("*"),
    ]:
        if file.is_file() and "objects" not in file.parts:
            assert TOKEN.encode() not in file.read_bytes(), file
    assert TOKEN not in str(made.call("GET", "/api/jobs"))
    assert TOKEN not in str(made.call("GET", "/api/events"))


def test_another_host_gets_nothing(day, tmp_path) -> None:
    made, server, _ = day
    made.call("PUT", "/api/settings", {"github": {"url": server.url, "token": TOKEN}})
    other = make(tmp_path / "other")
    plain_git(other, "remote", "add", "origin", "https://evil.example/x.git")
    mine = make(tmp_path / "mine")
    plain_git(mine, "remote", "add", "origin", f"{server.url}/ada/shop.git")
    ask = f"protocol=http\nhost={server.url.removeprefix('http://')}\n\n"

    def fill(folder):
        return subprocess.run(
            ["git", "credential", "fill"],
            cwd=folder,
            input=ask,
            text=True,
            capture_output=True,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "GIT_TERMINAL_PROMPT": "0"},
        ).stdout

    assert f"password={TOKEN}" in fill(mine)
    assert TOKEN not in fill(other)
    assert TOKEN not in fill(tmp_path)
    assert homeport(made, "git-credential", "erase", input=ask).stdout == ""


def test_a_users_own_config_stays_and_counts_more(day) -> None:
    made, _, home = day
    own = home / ".config/git/config"
    own.parent.mkdir(parents=True, exist_ok=True)
    before = "[user]\n\temail = own@example.com\n# größe\n"
    own.write_text(before)
    made.call("PUT", "/api/settings", {"git": {"name": "Ada", "email": "ada@example.com"}})
    made.call("PUT", "/api/settings", {"git": {"name": 'A "quoted" \\ name'}})
    made.stop("agent")  # it finishes what it writes
    made.start_agent()

    text = own.read_text()
    assert text.endswith(before)
    assert text.count("[include]") == 1
    assert git(home, "config", "user.email").stdout == "own@example.com\n"
    (home / ".gitconfig").unlink(missing_ok=True)
    assert git(home, "config", "user.name").stdout == 'A "quoted" \\ name\n'


def test_the_ssh_key_is_made_once(day) -> None:
    made, _, home = day
    assert made.call("GET", "/api/git/ssh-key")["public_key"] is None
    first = homeport(made, "settings", "ssh-key")
    assert first.stdout.startswith("ssh-ed25519 "), first.stderr
    assert "/settings/ssh/new" in first.stderr
    assert homeport(made, "settings", "ssh-key").stdout == first.stdout
    key = made.folder / "data/ssh/id_ed25519"
    assert key.stat().st_mode & 0o777 == 0o600
    wait_for(lambda: str(key) in git(home, "config", "core.sshCommand").stdout, "ssh in terminals")
