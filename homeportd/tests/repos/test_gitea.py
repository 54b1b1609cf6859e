"""Private repositories of a real Gitea: by SSH with the key that Homeport makes, and by HTTP with a token."""

from __future__ import annotations

import base64
import getpass
import json
import os
import subprocess
from urllib.request import Request, urlopen

import pytest
from parts import environment_of, part

from ..freeports import free_ports
from ..installation import Installation, listens, socket_folder

PASSWORD = "correct-horse-1"


@pytest.fixture(scope="module")
def folder():
    """The part, which is looked for in the home that the tests were begun with."""
    return part("gitea")


@pytest.fixture
def day(folder, tmp_path, monkeypatch):
    """Gitea with a private repository `ada/shop`, and an agent; both are programs of an Installation."""
    home = tmp_path / "home"
    home.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with socket_folder() as sockets:
        front, first, web, ssh = free_ports(4)
        made = Installation(tmp_path, sockets, front, first, first)
        made.configure()
        file = tmp_path / "app.ini"
        file.write_text(f"""
RUN_USER = {getpass.getuser()}
WORK_PATH = {tmp_path}/gitea
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
[server]
HTTP_ADDR = 127.0.0.1
HTTP_PORT = {web}
STATIC_ROOT_PATH = {folder}
OFFLINE_MODE = true
START_SSH_SERVER = true
BUILTIN_SSH_SERVER_USER = git
SSH_LISTEN_HOST = 127.0.0.1
SSH_LISTEN_PORT = {ssh}
[database]
DB_TYPE = sqlite3
PATH = {tmp_path}/gitea.db
[security]
INSTALL_LOCK = true
SECRET_KEY = of a test
""")
        gitea = (folder / "bin/gitea", "--config", file)
        environment = {**os.environ, **environment_of("gitea"), "HOME": str(home)}
        try:
            made.start("gitea", *gitea, "web", env=environment)
            made.wait("gitea", lambda: listens(web) and listens(ssh))
            user = ("--username", "ada", "--password", PASSWORD, "--email", "ada@example.com")
            command = [*gitea, "admin", "user", "create", *user, "--must-change-password=false"]
            subprocess.run(command, check=True, capture_output=True, env=environment)
            ask(
                web,
                "/user/repos",
                {"name": "shop", "private": True, "auto_init": True, "default_branch": "main"},
            )
            made.start_agent()
            yield made, web, ssh
        finally:
            made.end()


def ask(web, path, body):
    login = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    request = Request(f"http://127.0.0.1:{web}/api/v1{path}", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def clone(made, address, into):
    job = made.call("POST", "/api/repos", {"address": address, "into": into})
    while job["state"] in ("queued", "running"):
        job = made.call("GET", f"/api/jobs/{job['id']}")
    return job


def commit_and_push(repo, text):
    (repo / "note").write_text(text)
    for arguments in (("add", "note"), ("commit", "-q", "-m", "a note"), ("push", "-q")):
        done = subprocess.run(["git", *arguments], cwd=repo, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return head_of(repo)


def head_of(repo):
    return subprocess.run(["git", "rev-parse", "HEAD"], cwd=repo, capture_output=True, check=True).stdout


@pytest.mark.slow
def test_by_ssh_and_by_token(day) -> None:
    made, web, ssh = day
    made.call("PUT", "/api/settings", {"git": {"name": "Ada", "email": "ada@example.com"}})

    refused = clone(made, f"ssh://git@127.0.0.1:{ssh}/ada/shop.git", "by-ssh")
    assert "does not know this machine's SSH key" in refused["error"]["detail"]
    key = made.call("GET", "/api/git/ssh-key")["public_key"]
    ask(web, "/user/keys", {"title": "homeport", "key": key})
    cloned = clone(made, f"ssh://git@127.0.0.1:{ssh}/ada/shop.git", "by-ssh")
    assert cloned["error"] is None
    pushed = commit_and_push(made.folder / "repos/by-ssh", "hello\n")

    address = f"http://127.0.0.1:{web}/ada/shop.git"
    assert "wants a login" in clone(made, address, "by-token")["error"]["detail"]
    token = ask(web, "/users/ada/tokens", {"name": "homeport", "scopes": ["write:repository"]})["sha1"]
    made.call("PUT", "/api/settings", {"github": {"url": f"http://127.0.0.1:{web}", "token": token}})
    assert clone(made, address, "by-token")["error"] is None
    repo = made.folder / "repos/by-token"
    assert head_of(repo) == pushed
    commit_and_push(repo, "again\n")

    # A host key that is not the one from before.
    known = made.folder / "data/ssh/known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", made.folder / "other"], check=True)
    public = (made.folder / "other.pub").read_text().split()[1]
    known.write_text(f"[127.0.0.1]:{ssh} ssh-ed25519 {public}\n")
    changed = clone(made, f"ssh://git@127.0.0.1:{ssh}/ada/shop.git", "again")["error"]
    assert "is not the one that this machine knows" in changed["detail"]
    subprocess.run(changed["fix"].partition(": ")[2].partition(", then")[0], shell=True, check=True)  # noqa: S602
    assert clone(made, f"ssh://git@127.0.0.1:{ssh}/ada/shop.git", "again")["error"] is None
