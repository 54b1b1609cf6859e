"""bin/site over an installation of an earlier commit: whatever was made with that one goes on.

The machine is a bare container with the commit BEFORE, workstation and edge in one, as inventory/local says. Root made
shares, tokens, logins, reservations and a domain there; another account is a client of the edge and runs a daemon with
tunnels. Then the clone has the sources under test. The tests go through the machine's life in order.
"""

import json
import re
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from .conftest import changed
from .visitors import WAIT_S, api, at, at_edge, form, homeport, visit, wait_for, web

pytestmark = pytest.mark.slow

# The commit before the rooms, words and roles were named anew; its database has three migrations.
BEFORE = "5978f58e92532a185bb8112486e8ad822d2ce63c"
ROOT = Path(__file__).parents[2]
CLIENT = "debian"  # an account that neither is root nor runs the agent
PASSWORD = "correct horse battery"
BASIC = {"Authorization": f"Basic {b64encode(f'me:{PASSWORD}'.encode()).decode()}"}
WEB, ECHO, DATAGRAMS = 3000, 3001, 3002  # ports
PAGES, SHARED, NOBODY = 4000, 4002, 4001  # ports; nobody listens on the last
SOCKET = "/run/homeport/visitors/visitors.sock"
TCP, UDP = 20022, 20053  # at the edge
NETWORKS = ["127.0.0.0/8", "192.0.2.0/24"]


def earlier(commit: str) -> bytes:
    """A tar of the sources of a commit; the test is left out where the history does not go back so far."""
    try:
        command = ["git", "archive", "--format=tar", commit]
        archived = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, timeout=60)
    except FileNotFoundError:
        pytest.skip("left out: git is not installed")
    if archived.returncode:
        pytest.skip(f"left out: commit {commit[:7]} is not in this clone's history (git fetch --unshallow)")
    return archived.stdout


@dataclass(frozen=True)
class Made:
    """What was made with the commit BEFORE, and what the API showed of it."""

    token: str
    logins: dict[str, str]  # of a browser at the dashboard
    owner: dict[str, str]  # of that browser at a port
    knows: dict[str, str]  # of a browser whose visitor typed the password of the share of WEB
    leaves: dict[str, str]  # of another browser at the dashboard, which logs out after the upgrade
    daemon: int  # pid
    release: str
    shown: dict[str, Any]
    shared: str  # the name of SHARED at the edge


def carried(machine: Any) -> bool:
    """Whether visitors get through each tunnel of the client."""
    plain, asked, guarded, tcp, udp = visit(
        machine,
        at_edge("web"),
        at_edge("guarded"),
        at_edge("guarded", headers=BASIC),
        {"tcp": TCP, "text": "to and fro"},
        {"udp": UDP, "text": "to and fro"},
    )
    bodies = plain.get("body"), guarded.get("body"), tcp, udp
    return bodies == ("hello from bare",) * 2 + ("to and fro",) * 2 and bool(asked["status"] == 401)


def shown(machine: Any, token: str) -> dict[str, Any]:
    """What the API shows of all that must stay, without what changes by itself; logs are the newest first."""
    ports = [f"/api/ports/{port}/{what}" for port in (WEB, PAGES, NOBODY) for what in ("share", "logs")]
    paths = ["/api/tokens", "/api/reservations", "/api/domains", "/api/tunnels", *ports]
    found = dict(zip(paths, visit(machine, *(api(token, path) for path in paths)), strict=True))
    assert all(answer["status"] == 200 for answer in found.values()), found
    bodies = {path: json.loads(answer["body"]) for path, answer in found.items()}
    # One that the edge named by itself is another after each start of the edge.
    tunnels = [f"/api/tunnels/{each['id']}" for each in bodies.pop("/api/tunnels") if each["reserved"]]
    more = [f"{path}/{what}" for path in tunnels for what in ("logs?limit=1000", "minutes?hours=24")]
    for path, answer in zip(more, visit(machine, *(api(token, path) for path in more)), strict=True):
        bodies[path] = json.loads(answer["body"])
    for each in bodies["/api/tokens"]:
        del each["last_used_at"]
    for each in bodies["/api/reservations"]:
        del each["live"]
    kept = ("domain", "name", "state", "created_at")
    bodies["/api/domains"] = [{key: each[key] for key in kept} for each in bodies["/api/domains"]]
    return bodies


@pytest.fixture(scope="module")
def machine(bare: Callable[..., Any]) -> Any:
    """A machine on which the commit BEFORE is installed."""
    fresh = bare("trixie", "root", earlier(BEFORE))
    assert changed(fresh.site()) > 0
    script = (Path(__file__).parent / "visit.py").read_text()
    fresh.check(f"cat > /var/tmp/visit.py <<'PYTHON'\n{script}\nPYTHON")
    return fresh


@pytest.fixture(scope="module")
def made(machine: Any) -> Made:
    """Everything that a person makes with Homeport, in use."""
    background = "</dev/null >/dev/null 2>&1 &"
    machine.check("cp homeport/molecule/edge/files/test-servers /var/tmp")
    machine.check(f"setsid python3 /var/tmp/test-servers {background}")
    for port in (PAGES, SHARED):
        machine.check(
            f"cd /usr/share/doc && setsid python3 -m http.server --bind 127.0.0.1 {port} {background}"
        )
    wait_for(
        lambda: (
            {WEB, PAGES, SHARED} <= {port["port"] for port in json.loads(homeport(machine, "ports --json"))}
        )
    )
    homeport(machine, f"password --password-stdin <<< '{PASSWORD}'")
    homeport(machine, f"share {WEB} --password-stdin <<< '{PASSWORD}'")
    homeport(machine, f"share {PAGES} --public --expires 2h")
    homeport(machine, f"share {NOBODY} --public --allow {NETWORKS[1]} --expires never")
    token = homeport(machine, "token create script").split()[-1]
    (logins, owner), (leaves, _) = log_in(machine), log_in(machine)
    typed = visit(machine, form(f"{WEB}.localhost:8080", "/.homeport/password", password=PASSWORD, next="/"))
    knows = typed[0]["cookies"]
    for kind, address, options in (
        ("http", "guarded", f"--allow {NETWORKS[0]} --passcode-stdin <<< '{PASSWORD}'"),
        ("tcp", TCP, f"--allow {NETWORKS[0]} --allow {NETWORKS[1]} --max-connections 5"),
        ("udp", UDP, "--max-rate 1M"),
    ):
        homeport(machine, f"reservations add {kind} {address} {options}")
    homeport(machine, "domains add app.example.org guarded")
    connect_client(machine)
    shared = share_through_the_edge(machine)
    wait_for(lambda: carried(machine))
    assert [answer["status"] for answer in visit(machine, *visitors(logins, owner, knows))] == EXPECTED
    pid, _ = daemon(machine)
    found = settled(machine, token)
    return Made(token, logins, owner, knows, leaves, pid, release(machine), found, shared)


def log_in(machine: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The cookies of a browser that has followed a login link, at the dashboard and at the origin of WEB."""
    link = urlsplit(json.loads(homeport(machine, "login-link --json"))["url"])
    logins = visit(machine, web("localhost:8080", path=link.path))[0]["cookies"]
    to = f"http://localhost:8080/hop?port={WEB}&next=/"
    for _ in range(3):
        parts = urlsplit(to)
        answer = visit(machine, web(parts.netloc, path=f"{parts.path}?{parts.query}", cookies=logins))[0]
        if parts.path == "/.homeport/enter":
            return logins, answer["cookies"]
        to = urljoin(to, answer["headers"]["location"])
    raise AssertionError(f"the owner is led to {to}")


def connect_client(machine: Any) -> None:
    """Make the edge the client's, whose daemon keeps four tunnels there."""
    given = homeport(machine, "token create laptop --scope tunnel").split()[-1]
    homeport(machine, f"init --edge http://tunnel.localhost:8081 --token-stdin <<< '{given}'", CLIENT)
    homeport(machine, "daemon start", CLIENT)
    homeport(machine, f"tunnels add http {WEB}=web {WEB}=guarded", CLIENT)
    homeport(machine, f"tunnels add tcp {ECHO}={TCP}", CLIENT)
    homeport(machine, f"tunnels add udp {DATAGRAMS}={UDP}", CLIENT)
    # Root uses this machine's edge with a token that the agent gave by itself.
    homeport(machine, "init")


def share_through_the_edge(machine: Any) -> str:
    """Share SHARED with a network; root's daemon keeps its tunnel. Returns the name at the edge."""
    homeport(machine, "daemon start")
    done = homeport(
        machine, f"share {SHARED} --public --via edge --allow {NETWORKS[1]} --allow 127.0.0.1 --json"
    )
    return str(urlsplit(json.loads(done)["edge_url"]).netloc.partition(".")[0])


def visitors(
    logins: dict[str, str], owner: dict[str, str], knows: dict[str, str]
) -> tuple[dict[str, Any], ...]:
    """Requests of browsers and strangers; EXPECTED has what they get, before and after."""
    return (
        web("localhost:8080", path="/api/session", cookies=logins),
        web("localhost:8080", path="/api/session"),
        at(WEB),
        at(WEB, headers=BASIC),
        at(WEB, cookies=knows),
        at(WEB, cookies=owner),
        at(PAGES),
        at(NOBODY),
        at(ECHO),
    )


EXPECTED = [200, 401, 401, 200, 200, 200, 200, 403, 401]


def settled(machine: Any, token: str) -> dict[str, Any]:
    """What is shown once the last visit is in the logs, which Traefik and the agent write every half second."""
    end = time.monotonic() + WAIT_S
    before: dict[str, Any] = {}
    while (now := shown(machine, token)) != before:
        assert time.monotonic() < end, "the logs go on growing"
        before = now
        time.sleep(1.2)
    return now


@dataclass(frozen=True)
class Upgraded:
    """What bin/site said, and what the API showed just before and after it."""

    output: str
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def pulled(machine: Any, made: Made) -> None:
    """The clone has the sources under test, as after `git pull`: files that are not in git stay."""
    machine.pull(earlier(BEFORE))
    machine.take_builds()  # the dashboard alone is of use: the agent is another one, by what follows
    # Whatever else is new, there is a migration, so that there is a way back of the database.
    agent = "homeport/homeportd/src/homeportd"
    table = "CREATE TABLE notes (id INTEGER PRIMARY KEY) STRICT;"
    machine.check(f"echo '{table}' > {agent}/migrations/9999_notes.sql")
    # The release runs once this file is gone, so that the mended one need not be built and installed.
    broken = 'if __import__("os").path.exists("/tmp/broken"): raise SystemExit(3)'
    opens = "await Database.open("
    machine.check(
        f"touch /tmp/broken; grep -rl '{opens}' {agent} | xargs sed -i 's|^\\( *\\).*{opens}.*|&\\n\\1{broken}|'"
    )


@pytest.fixture(scope="module")
def upgraded(machine: Any, made: Made, pulled: None) -> Upgraded:
    """bin/site has brought the sources under test."""
    machine.check("rm -f /tmp/broken")
    before = settled(machine, made.token)
    output = machine.site()
    return Upgraded(output, before, shown(machine, made.token))


def covers(now: Any, before: Any) -> bool:
    """Whether all that was shown is shown as it was; a newer release may show more fields beside."""
    if isinstance(before, dict):
        return all(key in now and covers(now[key], value) for key, value in before.items())
    if isinstance(before, list):
        return len(now) == len(before) and all(map(covers, now, before))
    return bool(now == before)


def stays(before: dict[str, Any], now: dict[str, Any]) -> None:
    """All that was shown is shown as it was; logs and minutes may have more on top."""
    assert now.keys() == before.keys()
    for path, found in before.items():
        newest_first = "/logs" in path
        rows = now[path][::-1] if newest_first else now[path]
        if newest_first or "/minutes" in path:
            rows = rows[: len(found)]
        assert covers(rows, found[::-1] if newest_first else found), (path, rows, found)


def release(machine: Any) -> str:
    """The name of the release that runs."""
    return str(machine.check("readlink /opt/homeport/current").strip().removeprefix("releases/"))


def daemon(machine: Any) -> tuple[int, set[str]]:
    """The client's daemon: its pid, and the releases whose files it runs."""
    pid = json.loads(homeport(machine, "daemon status --json", CLIENT))["pid"]
    mapped = machine.check(f"cat /proc/{pid}/maps", user=CLIENT)
    return pid, set(re.findall(r"/opt/homeport/releases/([^/]+)/", mapped))


def all_are_let_in_as_before(machine: Any, made: Made) -> None:
    requests = visitors(made.logins, made.owner, made.knows)
    assert [answer["status"] for answer in visit(machine, *requests)] == EXPECTED


def test_what_is_made_with_the_commit_before_is_in_use(machine: Any, made: Made) -> None:
    all_are_let_in_as_before(machine, made)


def test_an_upgrade_that_fails_leaves_the_old_release_with_its_data(
    machine: Any, made: Made, pulled: None
) -> None:
    result = machine.run("cd homeport && bin/site", timeout=900)
    assert result.returncode != 0
    assert "Unable to restart service" not in result.stdout
    assert re.search(r"error: release \S+ of the agent does not run: .+", result.stdout)
    assert f"Release {made.release} serves again" in result.stdout
    # The release that serves again restores the database; it does not know that a table has another name since.
    said = re.search(r"The database is as it was at .*\n(.*)", result.stdout)
    assert said is not None
    assert re.search(r"Nothing was written since\.|not in it: 2 rows of login_sessions\.", said[1])
    assert "Written since" not in result.stdout
    assert re.search(r"fix: read more with tail -n 50 \S+/homeportd\.log", result.stdout)
    assert release(machine) == made.release
    stays(made.shown, shown(machine, made.token))
    all_are_let_in_as_before(machine, made)
    wait_for(lambda: carried(machine))


def test_all_that_was_made_is_there(machine: Any, made: Made, upgraded: Upgraded) -> None:
    assert changed(upgraded.output) > 0
    assert release(machine) != made.release
    stays(upgraded.before, upgraded.after)


def test_tokens_logins_and_passwords_hold(machine: Any, made: Made, upgraded: Upgraded) -> None:
    all_are_let_in_as_before(machine, made)
    body = json.dumps({"password": PASSWORD})
    headers = {"Content-Type": "application/json", "Origin": "http://localhost:8080"}
    request = web("localhost:8080", method="POST", path="/api/session", headers=headers, body=body)
    assert visit(machine, request)[0]["status"] == 204


def test_an_owners_link_of_before_leads_to_the_port(machine: Any, made: Made, upgraded: Upgraded) -> None:
    _, owner = log_in(machine)
    assert visit(machine, at(WEB, cookies=owner))[0]["status"] == 200


def test_the_daemon_that_runs_is_connected_again(machine: Any, made: Made, upgraded: Upgraded) -> None:
    wait_for(lambda: carried(machine))
    assert daemon(machine) == (made.daemon, {made.release})


def test_root_is_the_same_client_of_its_own_edge(machine: Any, made: Made, upgraded: Upgraded) -> None:
    homeport(machine, "init")
    tokens = json.loads(homeport(machine, "token list --json"))
    assert [token["name"] for token in tokens] == [token["name"] for token in made.shown["/api/tokens"]]


def test_a_second_run_changes_nothing(machine: Any, upgraded: Upgraded) -> None:
    again = machine.site()
    assert changed(again) == 0, again


def test_a_port_shared_through_the_edge_is_reached_as_before(
    machine: Any, made: Made, upgraded: Upgraded
) -> None:
    """By root's daemon of before, for which all visitors have one address; then by its successor."""
    path = f"/api/ports/{SHARED}"

    def addresses() -> set[str]:
        assert visit(machine, at_edge(made.shared))[0]["status"] == 200
        rows = json.loads(visit(machine, api(made.token, f"{path}/logs"))[0]["body"])
        return {row["address"] for row in rows}

    wait_for(lambda: visit(machine, at_edge(made.shared))[0]["status"] == 200)
    assert addresses() == {"127.77.0.1"}
    homeport(machine, "daemon stop")
    homeport(machine, "daemon start")
    wait_for(lambda: visit(machine, at_edge(made.shared))[0]["status"] == 200)
    assert wait_for(lambda: addresses() > {"127.77.0.1"})
    share = json.loads(visit(machine, api(made.token, f"{path}/share"))[0]["body"])
    assert share["allow"] == [NETWORKS[1], "127.0.0.1/32"]
    stranger = f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{SOCKET}\")'"
    assert "PermissionError" in machine.run(stranger, user=CLIENT).stdout


def test_the_new_daemon_has_the_tunnels_of_the_old_one(machine: Any, made: Made, upgraded: Upgraded) -> None:
    homeport(machine, "daemon stop", CLIENT)
    homeport(machine, "daemon start", CLIENT)
    wait_for(lambda: carried(machine))
    assert daemon(machine)[1] == {release(machine)}


def rollback(machine: Any, options: str = "") -> str:
    """playbooks/rollback.yml, as docs/operations.md says; its output."""
    command = f". .venv/bin/activate && LC_ALL=C.UTF-8 ansible-playbook playbooks/rollback.yml {options}"
    return str(machine.check(f"cd homeport && {command}", timeout=300))


def test_the_way_back_is_to_the_commit_before(machine: Any, made: Made, upgraded: Upgraded) -> None:
    homeport(machine, "token create after-upgrade")
    bye = web("localhost:8080", method="DELETE", path="/api/session", cookies=made.leaves)
    assert visit(machine, bye)[0]["status"] == 204
    preview = rollback(machine, "--check --diff")
    assert re.search(r"Written since and not in it: .*1 token\b", preview)
    assert "after-upgrade" in homeport(machine, "token list")
    output = rollback(machine)
    assert re.search(r"Written since and not in it: .*1 token\b", output)
    assert release(machine) == made.release
    assert "after-upgrade" not in homeport(machine, "token list")
    stays(upgraded.before, shown(machine, made.token))
    all_are_let_in_as_before(machine, made)
    # What was ended since is not there again.
    assert visit(machine, web("localhost:8080", path="/api/session", cookies=made.leaves))[0]["status"] == 401
    wait_for(lambda: carried(machine))
    kept = re.findall(r"The other database is kept: (\S+)", output)
    assert machine.check(f"ls {kept[-1]}")
