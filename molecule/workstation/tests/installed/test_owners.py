"""Servers of root and of a third account, in repos that the agent may not enter, beside the person's own."""

from collections.abc import Callable, Iterator

import pytest
from machines import wait_for
from testinfra.host import Host

from conftest import REPO, USER

testinfra_hosts = ["ansible://workstation"]

SERVERS = {"root": ("/root/proj", 5181), "games": ("/srv/games/shop", 5182)}


@pytest.fixture
def servers(host: Host) -> Iterator[None]:
    """One of each account, in a git repository below a folder that the account alone may enter."""
    for user, (repo, port) in SERVERS.items():
        host.check_output(f"install -d -m 700 -o {user} $(dirname {repo}) && git init -q -b trunk {repo}")
        host.check_output(f"touch {repo}/new && chown -R {user} {repo}")
        serve = f"python3 -m http.server --bind 127.0.0.1 {port}"
        host.check_output(f"systemd-run --unit=owned-{user} --uid={user} --working-directory={repo} {serve}")
    yield
    for user, (repo, _) in SERVERS.items():
        host.check_output(f"systemctl stop owned-{user} && rm -r {repo}")


@pytest.mark.usefixtures("servers", "dev_server")
def test_every_listener_has_its_owner_and_repo(homeport: Callable[[str], object]) -> None:
    def seen() -> object:
        found = homeport("list")
        repos = {repo["id"]: repo for repo in found["repos"]}
        owned = {port["port"]: port for port in found["ports"] if port["repo"] in repos}
        ours = {repos[port["repo"]]["path"]: port for port in owned.values()}
        wanted = {REPO, *(repo for repo, _ in SERVERS.values())}
        if not wanted <= ours.keys():
            return None
        # An answer does not wait for a git that takes its time: the mark comes with a later one.
        known = all(repos[ours[path]["repo"]]["dirty"] is not None for path in wanted)
        return (ours, repos) if known else None

    ports, repos = wait_for(seen)
    mine = repos[ports[REPO]["repo"]]
    assert (mine["owner"], mine["foreign"], mine["dirty"], mine["handover"]) == (USER, False, True, None)
    for user, (path, number) in SERVERS.items():
        port, repo = ports[path], repos[ports[path]["repo"]]
        assert (port["port"], port["user"], port["foreign"]) == (number, user, True)
        assert "http.server" in port["command"]
        assert (repo["owner"], repo["branch"], repo["dirty"]) == (user, "trunk", True)
        assert f"chown -R {USER}: /srv/homeport/repos/{repo['name']}" in repo["handover"]
