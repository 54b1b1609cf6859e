"""What site.yml made of a bare Debian: users, units, sockets, files."""

import json

import pytest
from machines import assert_the_preview_was_true, exposure, playbook
from testinfra.host import Host

from conftest import UNITS, USER, as_user

testinfra_hosts = ["ansible://workstation"]

# systemd-analyze's scale: 10 is a root shell, below 3 it says OK. Measured, with a little room.
MOST_EXPOSURE = {"homeportd.service": 4.0, "homeport-caddy.service": 2.5}


@pytest.mark.parametrize("unit", UNITS)
def test_unit_runs_and_starts_at_boot(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_hardened(host: Host, unit: str) -> None:
    assert exposure(host, unit) <= MOST_EXPOSURE[unit]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_valid(host: Host, unit: str) -> None:
    result = host.run("systemd-analyze verify --man=no /etc/systemd/system/%s", unit)
    assert (result.rc, result.stdout + result.stderr) == (0, "")


def test_no_unit_failed(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


def process_user(host: Host, unit: str) -> str:
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    return host.check_output("ps -o user:32= -p %s", pid).strip()


def test_agent_is_the_person_not_root(host: Host) -> None:
    assert process_user(host, "homeportd.service") == USER


def test_caddy_is_a_user_of_its_own(host: Host) -> None:
    assert process_user(host, "homeport-caddy.service") == "homeport-caddy"


@pytest.mark.parametrize(
    ("name", "mode"), [("cli", 0o600), ("web", 0o660), ("gateway", 0o660), ("relay", 0o660)]
)
def test_sockets_are_for_those_who_need_them(host: Host, name: str, mode: int) -> None:
    socket = host.file(f"/run/homeport/{name}.sock")
    assert socket.is_socket
    assert (socket.user, socket.group, socket.mode) == (USER, "homeport", mode)


def test_socket_folder_keeps_strangers_out(host: Host) -> None:
    folder = host.file("/run/homeport")
    assert (folder.user, folder.group, folder.mode) == (USER, "homeport", 0o2750)


def test_nobody_else_says_who_a_visitor_is(host: Host) -> None:
    folder, socket = host.file("/run/homeport/visitors"), host.file("/run/homeport/visitors/visitors.sock")
    group = host.user(USER).group
    assert (folder.user, folder.group, folder.mode) == ("homeport-caddy", group, 0o2750)
    assert (socket.user, socket.group, socket.mode) == ("homeport-caddy", group, 0o660)
    script = f"import socket; socket.socket(socket.AF_UNIX).connect('{socket.path}')"
    assert host.run(f"runuser -u {USER} -- python3 -c %s", script).rc == 0
    assert "PermissionError" in host.run("runuser -u nobody -- python3 -c %s", script).stderr


def test_data_is_the_persons_alone(host: Host) -> None:
    folder = host.file("/srv/homeport/data")
    assert (folder.user, folder.mode) == (USER, 0o700)


def test_stranger_reaches_no_socket(host: Host) -> None:
    script = "import socket; socket.socket(socket.AF_UNIX).connect('/run/homeport/web.sock')"
    result = host.run("runuser -u nobody -- python3 -c %s", script)
    assert result.rc != 0
    assert "PermissionError" in result.stderr


def test_the_reverse_proxy_is_on_loopback_alone(host: Host) -> None:
    listening = host.check_output("ss -Hltn sport = :8080")
    addresses = {line.split()[3] for line in listening.splitlines()}
    assert addresses <= {"127.0.0.1:8080", "[::1]:8080"}
    assert "127.0.0.1:8080" in addresses


def test_doctor_finds_nothing(host: Host) -> None:
    assert as_user(host, "homeport doctor")


def test_status_names_the_machine(host: Host) -> None:
    status = json.loads(as_user(host, "homeport status --json"))
    assert status["user"] == USER
    by_sudo = "person" in host.ansible.get_variables()
    assert status["user_choice"]["reason"] == ("sudo" if by_sudo else "setting")
    assert status["dashboard_url"] == "http://localhost:8080"


def test_a_guest_is_told_whom_to_ask(host: Host) -> None:
    result = host.run("runuser -l guest -c 'homeport list'")
    assert result.rc == 3
    assert "Homeport on this machine serves dev and root; you are guest" in result.stderr
    assert "sudo -u dev homeport list" in result.stderr


@pytest.fixture(scope="module")
def second_preview() -> dict[str, dict[str, int]]:
    return playbook("--check")


def test_a_second_preview_finds_nothing_to_do(host: Host, second_preview: dict[str, dict[str, int]]) -> None:
    """Check mode agrees with the run that just passed."""
    assert second_preview[host.backend.host]["changed"] == 0


def test_firewall_is_where_it_was_asked_for(host: Host) -> None:
    """Asked for: it lets SSH in, and to the reverse proxy nobody but this machine. Else no rule at all."""
    asked = host.ansible.get_variables().get("firewall_enabled", False)
    rules = host.run("nft list table inet homeport")
    assert (rules.rc == 0) is asked
    if asked:
        assert host.service("homeport-firewall.service").is_enabled
        assert "policy drop" in rules.stdout


def test_the_preview_was_true(host: Host) -> None:
    assert_the_preview_was_true(host)
