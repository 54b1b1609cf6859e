"""An agent that is not root sees the servers and repos of root and of a third person, by the owner reader."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

from .readers import AGENT, PERSON, reader, server_of

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can be looked at as root")

# Both rooms as the agent has them, as another user; prints what the API would show.
AGENT_CODE = """
import asyncio, concurrent.futures.thread, json, os, pwd, sys
from pathlib import Path
import homeportd.repos.status
from homeportd.ports import owners, service
from homeportd.ports.owner_reader.client import TreeReader
from homeportd.ports.service import Ports
from homeportd.ports.view import port_view
from homeportd.repos import service as repos_service
from homeportd.repos.service import Repos
from homeportd.repos.view import repo_views
from homeportd.settings import Settings

top, path, wanted = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
service.PATIENCE = repos_service.PATIENCE = 60
settings = Settings(origin="http://{port}.localhost:8080", port_ranges=["1-65535"], repo_root=top / "repos",
                    data_dir=top, socket_dir=top, owner_reader=path if path.exists() else None)
account = pwd.getpwnam("daemon")
os.setgroups([]); os.setgid(account.pw_gid); os.setuid(account.pw_uid)
os.environ["HOME"] = "/nonexistent"

async def main():
    repos = Repos(settings, TreeReader(path) if path.exists() else None)
    await repos.start()
    ports = Ports(settings, repos)
    await ports.start()
    await repos.refresh_dirty()
    await ports.scan()
    seen = {number: port_view(number, ports.get(number), None, settings.origins).model_dump() for number in wanted}
    views = repo_views(repos.all(), ports.repos_of_ports())
    print(json.dumps([seen, [view.model_dump() for view in views]]))
    await ports.close()
    await repos.close()

asyncio.run(main())
"""


def seen(top, path, ports):
    """(ports by number, repos below `top` by name) as the API of an agent of the user `daemon` shows them."""
    command = [sys.executable, "-c", AGENT_CODE, str(top), str(path), json.dumps(ports)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    by_number, repos = json.loads(done.stdout)
    # Other tests of this machine have repos of the same names.
    below = {repo["name"]: repo for repo in repos if repo["path"].startswith(f"{top}/")}
    return {int(number): port for number, port in by_number.items()}, below


def repo(folder, uid):
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(folder)], check=True)
    (folder / "web").mkdir()
    for each in (folder.parent, folder, *folder.rglob("*")):
        os.lchown(each, uid, pwd.getpwuid(uid).pw_gid)
    folder.parent.chmod(0o700)
    return folder


@pytest.fixture
def top():
    with tempfile.TemporaryDirectory(prefix="hp") as name:
        Path(name).chmod(0o755)
        (Path(name) / "repos").mkdir()
        os.chown(Path(name) / "repos", AGENT, -1)
        yield Path(name)


def test_every_listener_has_its_owner_and_repo(top):
    roots, persons = repo(top / "root/proj", 0), repo(top / "person/shop", PERSON)
    shared = repo(top / "open/site", 0)
    shared.parent.chmod(0o755)
    own = repo(top / "own/mine", AGENT)
    (persons / "new").write_text("x")
    (top / "repos/proj").mkdir()  # that name is taken
    with ExitStack() as stack:
        path = stack.enter_context(reader())
        trees = ((0, roots / "web"), (PERSON, persons), (0, shared), (AGENT, own))
        numbers = [stack.enter_context(server_of(uid, folder))[1] for uid, folder in trees]
        ports, repos = seen(top, path, numbers)
        without, _ = seen(top, Path("/nowhere/none.sock"), numbers[:1])
    shown = [
        tuple(ports[each][key] for key in ("user", "foreign", "repo", "subdir", "title")) for each in numbers
    ]
    assert shown == [
        ("root", True, "proj", "web", "python"),
        ("games", True, "shop", "", "python"),
        ("root", True, "site", "", "python"),
        ("daemon", False, "mine", "", "python"),
    ]
    views = {
        name: tuple(each[key] for key in ("owner", "foreign", "branch", "dirty"))
        for name, each in repos.items()
    }
    assert views == {
        "proj": ("root", True, "trunk", False),
        "shop": ("games", True, "trunk", True),
        "site": ("root", True, "trunk", False),
        "mine": ("daemon", False, "trunk", False),
    }
    commands = {name: (each["handover"] or "").replace("sudo ", "") for name, each in repos.items()}
    root = top / "repos"
    assert commands == {
        "proj": f"mv {roots} {root}/proj-2 && chown -R daemon: {root}/proj-2",
        "shop": f"mv {persons} {root}/shop && chown -R daemon: {root}/shop",
        "site": f"chown -R daemon: {shared}",
        "mine": "",
    }
    # Where nobody tells more, the socket's own record still names the user.
    alone = without[numbers[0]]
    assert (alone["user"], alone["foreign"], alone["title"], alone["repo"]) == ("root", True, None, None)


def test_a_handed_over_repo_is_the_agents(top):
    made = repo(top / "root/my proj", 0)
    with reader() as path, server_of(0, made) as (_, number, _):
        _, repos = seen(top, path, [number])
        command = repos["my proj"]["handover"].replace("sudo ", "")
        subprocess.run(["sh", "-c", command], check=True)
        ports, repos = seen(top, path, [number])
    assert ports[number]["repo"] == "my-proj"
    moved = repos["my proj"]
    assert (moved["path"], moved["owner"], moved["foreign"], moved["handover"]) == (
        f"{top}/repos/my proj",
        "daemon",
        False,
        None,
    )
