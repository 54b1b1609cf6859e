"""bin/site on a fresh machine without systemd: a container whose PID 1 is `sleep`."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from .artifacts import replace_damage_and_mend
from .conftest import changed

pytestmark = pytest.mark.slow

PORT = 5173
UNREACHABLE = 3  # the exit code of the command line
PASSWORD = "correct horse battery"
TRIES = 60  # half a second apart, for what comes by itself


@pytest.fixture(scope="module", params=[("trixie", "root"), ("bookworm", "dev")], ids=["root", "user"])
def machine(request: pytest.FixtureRequest, bare: Callable[[str, str], Any]) -> Any:
    """A fresh machine for each of the two ways to install; the tests below go through its life in order."""
    release, user = request.param
    fresh = bare(release, user)
    if user == "root":  # the other machine builds the dashboard and the agent itself
        fresh.take_builds()
    fresh.check(f"{everything(fresh)} > /var/tmp/everything", user="root")
    return fresh


def everything(machine: Any) -> str:
    """A command that lists a machine's files, but for packages, caches and the checkout, and its accounts."""
    system = "/proc /sys /dev /tmp /run/sudo /usr/bin /usr/lib /usr/share /var/tmp /var/cache"
    system += " /var/lib/apt /var/lib/dpkg"
    own = (f"{machine.home}/{name}" for name in ("homeport", ".cache", ".ansible", ".npm"))
    left_out = " -o ".join(f"-path {path}" for path in [*system.split(), *own])
    # Folders that a home has anyway, packages' logs, and the old copies that useradd leaves.
    anyway = r"/\.(local|config)(/(bin|share|state))?$|/var/log/(apt|dpkg|alternatives)"
    anyway += r"|/etc/(passwd|group|g?shadow|sub.id)-$"
    # Which edge a person uses is theirs; the rest is these tests' own.
    anyway += rf"|{machine.home}/(\.config/homeport(/edge\.toml)?|(site|tunnel)\.(log|pid))$"
    return f"(find / \\( {left_out} \\) -prune -o -print | grep -vE '{anyway}'; cat /etc/passwd /etc/group) | sort"


def traces(machine: Any) -> str:
    """What an install leaves, wherever it may be."""
    places = "/opt/homeport /srv/homeport /etc/homeport /run/homeport /usr/local/bin/homeport"
    own = " ".join(f"{machine.home}/{name}/homeport" for name in (".local/bin", ".config", ".local/share"))
    return machine.run(f"ls -d {places} {own} 2>/dev/null").stdout


def test_preview_changes_nothing(machine: Any) -> None:
    users = machine.check("cat /etc/passwd /etc/group")
    assert changed(machine.site("--check --diff")) > 0
    assert traces(machine) == ""
    assert machine.check("cat /etc/passwd /etc/group") == users


def test_wrong_settings_are_all_named_with_their_fixes(machine: Any) -> None:
    wrong = json.dumps(
        {"homeport_port_ranges": ["nonsense"], "homeport_origin": "ftp://x", "caddy_port": 99999}
    )
    result = machine.run(f"cd homeport && bin/site --extra-vars '{wrong}'", timeout=300)
    assert result.returncode != 0
    for word in ("nonsense", "ftp://x", "99999"):
        assert word in result.stdout
    assert result.stdout.count("fix:") >= 3
    assert traces(machine) == ""


def test_without_a_way_to_root_nothing_is_installed_in_silence(machine: Any) -> None:
    if machine.user == "root":
        pytest.skip("is root")
    playbook = ". .venv/bin/activate && LC_ALL=C.UTF-8 ansible-playbook site.yml"
    result = machine.run(f"cd homeport && {playbook}", timeout=300)
    assert result.returncode != 0
    assert "error: dev has no right to use sudo on localhost" in result.stdout
    assert "-e homeport_rootless=true" in result.stdout
    assert traces(machine) == ""


def options(machine: Any) -> str:
    """What root's installation is given beyond the default: a package, which takes root."""
    return "--extra-vars localhost_names_enabled=true" if machine.user == "root" else ""


def test_one_command_installs_for_that_very_shell(machine: Any) -> None:
    """The shell that called bin/site has the command, by the line of the panel where one is needed."""
    install = f"cd homeport; bin/site {options(machine)} >~/site.log; set $?; cat ~/site.log"
    line = "sed -n 's/^  Command  *//p' ~/site.log"
    output = machine.check(f'{install}; eval "$({line})"; homeport status; exit $1', timeout=900)
    assert changed(output) > 0
    assert re.search(r"http://localhost:8080/login/\S+", output)
    assert "Homeport runs on bare" in output
    if machine.user == "root":
        assert "  Account    homeport: root installed Homeport" in output
        assert "  User       homeport: root installed Homeport" in output
    else:
        assert "dev has no right to use sudo here: installing for dev alone" in output
        assert '  Command    export PATH="$HOME/.local/bin:$PATH"' in output
        assert "there is no cron" in output


def test_a_sudo_that_asks_needs_a_terminal(machine: Any) -> None:
    """Who could be root is not installed for without: they are told how to go on."""
    if machine.user == "root":
        pytest.skip("root asks nobody")
    machine.check("useradd --create-home --groups sudo --password x asked", user="root")
    result = machine.run(f"cd {machine.home}/homeport && bin/site", user="asked")
    assert result.returncode == 1
    assert (
        "error: sudo asks for the password of asked, and there is no terminal to type it at" in result.stdout
    )
    assert "--become-password-file FILE" in result.stdout
    machine.check("userdel --remove asked", user="root")


def test_an_upstream_release_replaces_a_wheel_and_damage_is_mended(machine: Any) -> None:
    if machine.user == "root":
        pytest.skip("one machine is enough for it")
    replace_damage_and_mend(machine)


def test_second_run_changes_nothing(machine: Any) -> None:
    assert changed(machine.site(options(machine))) == 0


def homeport(machine: Any, command: str) -> Any:
    """The person's own command, found as their login shell finds it."""
    return machine.check(f"bash -lc 'homeport {command}'")


def test_dev_server_is_seen_shared_and_closed(machine: Any) -> None:
    repo = machine.check("find / -xdev -type d -path '*homeport/repos' 2>/dev/null | head -1").strip()
    machine.check(f"mkdir {repo}/demo && echo hello from demo > {repo}/demo/index.html")
    machine.check(
        f"cd {repo}/demo && setsid python3 -m http.server --bind 127.0.0.1 {PORT} >/dev/null 2>&1 &"
    )
    ports: dict[int, Any] = {}
    for _ in range(TRIES):
        ports = {port["port"]: port for port in json.loads(homeport(machine, "list --json"))["ports"]}
        if PORT in ports:
            break
        time.sleep(0.5)
    assert ports[PORT]["share"]["mode"] == "private"
    homeport(machine, f'share {PORT} --password-stdin --expires 1h <<< "{PASSWORD}"')
    assert get(machine, "") == 401
    assert get(machine, PASSWORD) == 200
    homeport(machine, f"unshare {PORT}")
    assert get(machine, PASSWORD) != 200


def test_only_its_user_says_who_a_visitor_is(machine: Any) -> None:
    """At Caddy's socket for visitors of tunnels: its folder has the group of the agent's user, or is the person's."""
    socket = machine.check("find / -xdev -name visitors.sock 2>/dev/null | head -1", user="root").strip()
    caddy, group, mode = (
        ("homeport-caddy", "homeport", "2750") if machine.user == "root" else ("dev", "dev", "700")
    )
    shown = machine.check(f"stat -c '%U %G %a' $(dirname {socket}) {socket}", user="root").splitlines()
    assert shown == [f"{caddy} {group} {mode}", f"{caddy} {group} 660"]
    connect = f"python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"{socket}\")'"
    machine.check(f"runuser -u {'homeport' if machine.user == 'root' else 'dev'} -- {connect}", user="root")
    assert "PermissionError" in machine.run(f"runuser -u nobody -- {connect}", user="root").stdout


def test_servers_and_repos_of_root_and_others_are_seen(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("without root there is nobody who may look")
    machine.check("useradd --create-home eve && chmod 700 /home/eve")
    servers = {"root": ("/root/proj", 5181), "eve": ("/home/eve/shop", 5182)}
    for user, (repo, port) in servers.items():
        # A bare Debian has no git; a repository is this as well.
        make = f"mkdir -p {repo}/.git && echo ref: refs/heads/trunk > {repo}/.git/HEAD && cd {repo}"
        serve = f"setsid python3 -m http.server --bind 127.0.0.1 {port} >/dev/null 2>&1 & echo $! >/tmp/{user}.pid"
        machine.check(f"{make} && {{ {serve}; }}", user=user)
    seen: dict[str, Any] = {}
    for _ in range(TRIES):
        found = json.loads(homeport(machine, "list --json"))
        repos = {repo["path"]: repo for repo in found["repos"]}
        ports = {port["port"]: port for port in found["ports"]}
        seen = {
            user: (ports.get(port, {}).get("user"), ports.get(port, {}).get("repo"), repos[repo]["owner"])
            for user, (repo, port) in servers.items()
            if repo in repos
        }
        if len(seen) == 2 and all(each[1] for each in seen.values()):
            break
        time.sleep(0.5)
    assert seen == {"root": ("root", "proj", "root"), "eve": ("eve", "shop", "eve")}
    page = homeport(machine, "list")
    assert "proj is root's: it is listed and shared here" in page
    assert "mv /root/proj /srv/homeport/repos/proj && chown -R" in page
    # Nobody reaps them here: PID 1 sleeps. So the account goes although a process of its name is left.
    machine.check("kill -9 $(cat /tmp/root.pid /tmp/eve.pid); rm -r /root/proj; userdel --force --remove eve")


def test_the_readmes_tunnel_works_with_nothing_set_up(machine: Any) -> None:
    name = "myapp.tunnel.localhost:8081"
    machine.check(
        f"setsid bash -lc 'exec homeport http {PORT} --domain myapp' >tunnel.log 2>&1 & echo $! >tunnel.pid"
    )
    machine.check(
        f"for i in $(seq {TRIES}); do grep -q http://{name} tunnel.log && exit 0; sleep 0.5; done; exit 1"
    )
    statuses = []
    while 200 not in statuses and len(statuses) < TRIES:
        statuses.append(get(machine, "", name))
        time.sleep(0.5)
    assert statuses[-1] == 200, machine.run("cat tunnel.log").stdout
    machine.check("kill $(cat tunnel.pid)")
    assert [token["name"] for token in json.loads(homeport(machine, "token list --json"))] == [
        f"this machine: {machine.user}"
    ]


def get(machine: Any, password: str, name: str = f"{PORT}.localhost:8080") -> int:
    """The status of one request through Caddy or Traefik, with HTTP Basic where there is a password."""
    script = f"""
import base64, http.client
connection = http.client.HTTPConnection("127.0.0.1", {name.rpartition(":")[2]}, timeout=10)
headers = {{"Host": "{name}", "Accept": "*/*"}}
if "{password}":
    headers["Authorization"] = "Basic " + base64.b64encode(b"me:{password}").decode()
connection.request("GET", "/", headers=headers)
print(connection.getresponse().status)
"""
    return int(machine.check(f"python3 - <<'PYTHON'\n{script}\nPYTHON"))


def test_doctor_finds_nothing(machine: Any) -> None:
    said = homeport(machine, "doctor")
    resolves = (
        machine.run("python3 -c 'import socket; socket.getaddrinfo(\"4210.localhost\", None)'").returncode
        == 0
    )
    assert resolves is (machine.user == "root")
    assert ("as root: apt-get install libnss-myhostname" in said) is not resolves


def test_killed_agent_comes_back(machine: Any) -> None:
    before = json.loads(homeport(machine, "status --json"))["started_at"]
    # A bare Debian has no pkill; the brackets keep the command from finding itself.
    find = "grep -laz 'homeport[d]' /proc/[0-9]*/cmdline | xargs -n1 dirname | xargs -n1 basename"
    serving = "tr '\\0' ' ' < /proc/$pid/cmdline | grep -q ' [s]erve'"
    machine.check(f"for pid in $({find}); do {serving} && kill -9 $pid; done; true", user="root")
    up = "bash -lc 'homeport status'"
    machine.check(f"for i in $(seq {TRIES}); do {up} && exit 0; sleep 0.5; done; exit 1")
    assert json.loads(homeport(machine, "status --json"))["started_at"] != before


def test_another_account_is_told_whom_to_ask(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("the command of an installation without root is in that user's home")
    result = machine.run("homeport list", user=machine.bystander)
    assert result.returncode == UNREACHABLE
    assert "Homeport on this machine serves homeport and root; you are debian" in result.stdout
    assert "sudo -u homeport homeport list" in result.stdout


def test_another_user_is_one_run_away_and_back(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("without root there is one user")
    repos = "/srv/homeport/repos"
    homeport(machine, f"share {PORT} --public")
    token = homeport(machine, "token create kept").split()[-1]
    machine.check(
        f"touch {repos}/roots; ln -s /etc/passwd {repos}/link; chown -h homeport: {repos}/link {repos}/demo"
    )
    for user in (machine.bystander, "homeport"):
        assert changed(machine.site(f"{options(machine)} -e homeport_user={user}")) > 0
        status = json.loads(homeport(machine, "status --json"))
        assert (status["user"], status["user_choice"]["reason"]) == (user, "setting")
        assert get(machine, "") == 200
        tokens = {entry["name"]: entry for entry in json.loads(homeport(machine, "token list --json"))}
        assert token.startswith(tokens["kept"]["prefix"])
        owners = machine.check(
            f"stat -c %U {repos} {repos}/demo {repos}/link {repos}/roots /etc/passwd"
        ).split()
        assert owners == [user, user, user, "root", "root"]
        assert machine.run("id -nG debian").stdout.split().count("homeport") == (user == machine.bystander)


def remove(machine: Any, arguments: str = "") -> str:
    """playbooks/remove.yml, as docs/operations.md says."""
    if machine.user != "root":
        arguments += " -e homeport_rootless=true"
    playbook = f"cd homeport && .venv/bin/ansible-playbook playbooks/remove.yml {arguments}"
    return machine.check(playbook, timeout=300)


def test_removed_it_leaves_data_and_certificates(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("goes through the same with everything below")
    acme = "/var/lib/homeport-traefik/acme"
    machine.check(f"echo certificate > {acme}/domains.json; chown homeport-traefik: {acme}/domains.json")
    machine.check(f"chmod 600 {acme}/domains.json")
    assert f"Kept: /srv/homeport/repos, /srv/homeport/data, /srv/homeport/caddy, {acme}" in remove(machine)
    assert machine.check(f"stat -c '%U %a' {acme} {acme}/domains.json").split() == [
        "root",
        "700",
        "root",
        "600",
    ]
    assert "demo" in machine.check("ls /srv/homeport/repos").split()
    assert machine.run("id homeport-traefik").returncode != 0
    assert machine.run("id homeport").returncode == 0  # owns the repositories
    machine.check("useradd --system other")  # takes a number that was Homeport's


def test_what_an_installation_lacks_is_named_before_anything_changes(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("installed: nothing would be downloaded")
    machine.check("cp /etc/resolv.conf /var/tmp; echo nameserver 127.0.0.9 > /etc/resolv.conf")
    wrong = json.dumps({"caddy_bind": ["192.0.2.1"]})
    result = machine.run(f"cd homeport && bin/site --extra-vars '{wrong}'", timeout=300)
    machine.check("cat /var/tmp/resolv.conf > /etc/resolv.conf")
    assert result.returncode != 0
    assert "caddy_bind has 192.0.2.1, which is no address of this machine" in result.stdout
    assert "the package index cannot be reached, for names do not resolve" in result.stdout
    assert "/etc/resolv.conf" in result.stdout
    assert machine.run("ls /etc/homeport /opt/homeport").returncode != 0


def test_it_is_installed_again_by_one_run_at_a_time(machine: Any) -> None:
    if machine.user != "root":
        pytest.skip("not removed")
    # The second is of another clone, and by ansible-playbook.
    machine.check("cp -r homeport /var/tmp/clone")
    held = "until grep -q @homeport-run /proc/net/unix; do sleep 0.1; done"
    second = f"{held}; cd /var/tmp/clone && /root/homeport/.venv/bin/ansible-playbook site.yml"
    result = machine.run(f"(cd homeport && exec bin/site > /var/tmp/first 2>&1) & {second}", timeout=600)
    assert result.returncode != 0
    assert re.search(r"another run for this machine is under way: pid \d+ of root, since 20", result.stdout)
    machine.check("while grep -q @homeport-run /proc/net/unix; do sleep 0.2; done", timeout=600)
    output = machine.check("cat /var/tmp/first")
    assert changed(output) > 0
    assert "failed=0" in output
    acme = "/var/lib/homeport-traefik/acme"
    assert machine.check(f"cat {acme}/domains.json") == "certificate\n"
    assert (
        machine.check(f"stat -c '%U %G %a' {acme}/domains.json") == "homeport-traefik homeport-traefik 600\n"
    )
    homeport(machine, "doctor")
    machine.check("userdel other")


def test_removed_with_its_data_it_leaves_nothing(machine: Any) -> None:
    output = remove(machine, "-e remove_data=true")
    assert changed(output) > 0
    left = machine.check(f"{everything(machine)} | diff /var/tmp/everything - || true", user="root")
    assert left == ""
    # The dev server of a person is the person's, though its folder has gone.
    assert machine.check("grep -laz 'http.serve[r]' /proc/[0-9]*/cmdline")
    again = remove(machine, "-e remove_data=true")
    assert changed(again) == 0
    assert "Homeport is not installed here; nothing was removed." in again
