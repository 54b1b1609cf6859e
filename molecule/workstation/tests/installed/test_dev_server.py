"""A dev server that Homeport starts is a unit of the person's own systemd, and outlives the agent."""

from machines import wait_for
from testinfra.host import Host

from conftest import STARTED_PORT, as_user

testinfra_hosts = ["ansible://workstation"]


def listening_pid(host: Host) -> str:
    """The pid that listens at the port of the started server; empty while none does."""
    line = host.run(f"ss -Hltnp sport = :{STARTED_PORT}").stdout
    return line.partition("pid=")[2].partition(",")[0]


def units(host: Host) -> str:
    """The units of dev servers, as the person's own systemctl shows them."""
    return as_user(
        host,
        "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user list-units --no-legend --plain 'homeport-*'",
    )


def test_it_is_a_unit_of_the_persons_and_survives_a_restart_of_the_agent(host: Host) -> None:
    serve = "python3 -m http.server"
    as_user(host, "git init -q -b main /srv/homeport/repos/started")
    start = f'homeport start started --port {STARTED_PORT} --command "{serve}"'
    wait_for(
        lambda: host.run("runuser -l dev -c %s", start).rc == 0
    )  # the agent looks for new repos now and then
    pid = wait_for(lambda: listening_pid(host))
    [unit] = [line.split()[0] for line in units(host).splitlines()]
    shown = as_user(
        host,
        f"XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user show {unit} -p KillMode -p MainPID -p LimitNOFILE",
    )
    assert "KillMode=mixed" in shown
    assert "LimitNOFILE=65536" in shown
    assert unit in host.file(f"/proc/{pid}/cgroup").content_string
    host.check_output("systemctl restart homeportd")
    wait_for(lambda: host.run("runuser -l dev -c 'homeport status'").rc == 0)
    assert listening_pid(host) == pid
    as_user(host, "homeport stop started")
    wait_for(lambda: not listening_pid(host))
    wait_for(lambda: not units(host))
    # It runs on, so that the reboot finds it.
    as_user(host, "homeport start started")
    assert wait_for(lambda: listening_pid(host))
