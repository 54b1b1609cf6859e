"""What site.yml made of a bare Debian: users, units, firewall, kernel settings, certificates."""

from collections.abc import Callable

import pytest
from machines import assert_the_preview_was_true, exposure, playbook, wait_for
from testinfra.host import Host

from conftest import UNITS, Edge

testinfra_hosts = ["ansible://edge"]

MOST_EXPOSURE = {"homeportd.service": 4.0, "homeport-traefik.service": 2.5}
USERS = {"homeportd.service": "homeport", "homeport-traefik.service": "homeport-traefik"}


@pytest.mark.parametrize("unit", UNITS)
def test_unit_runs_hardened_as_its_own_user(host: Host, unit: str) -> None:
    assert host.service(unit).is_running
    assert host.service(unit).is_enabled
    result = host.run("systemd-analyze verify --man=no /etc/systemd/system/%s", unit)
    assert (result.rc, result.stdout + result.stderr) == (0, "")
    assert exposure(host, unit) <= MOST_EXPOSURE[unit]
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    assert host.check_output("ps -o user:32= -p %s", pid).strip() == USERS[unit]


def test_no_unit_failed(host: Host) -> None:
    assert host.check_output("systemctl is-system-running") == "running"


def test_traefik_may_bind_low_ports_and_nothing_else(host: Host) -> None:
    pid = host.check_output("systemctl show --property=MainPID --value homeport-traefik.service")
    status = host.check_output("grep Cap /proc/%s/status", pid)
    masks = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines()}
    bind_service = 1 << 10
    assert masks["CapEff"] == masks["CapBnd"] == bind_service


@pytest.mark.parametrize("unit", UNITS)
def test_an_edge_may_have_many_files_open(host: Host, unit: str) -> None:
    """As many as the unit asks for, or as the machine's own hard limit lets it."""
    pid = host.check_output("systemctl show --property=MainPID --value %s", unit)
    asked = int(host.check_output("systemctl show --property=LimitNOFILE --value %s", unit))
    given = int(host.check_output("awk '/Max open files/ { print $4 }' /proc/%s/limits", pid))
    assert asked >= 65536
    assert given == min(
        asked, int(host.check_output("awk '/Max open files/ { print $5 }' /proc/1/limits"))
    ) or (given == asked)


def test_keys_are_traefiks_alone_and_logs_are_shared(host: Host) -> None:
    folder = host.file("/var/lib/homeport-traefik/acme")
    assert (folder.user, folder.mode) == ("homeport-traefik", 0o700)
    assert host.file("/var/lib/homeport-traefik/acme/domains.json").mode == 0o600
    for name, mode in (("access.json", 0o660), ("traefik.json", 0o640)):
        log = host.file(f"/var/log/homeport-traefik/{name}")
        assert (log.user, log.group, log.mode) == ("homeport-traefik", "homeport-traefik", mode)
    routes = host.file("/var/lib/homeport-traefik/routes")
    assert (routes.user, routes.group, routes.mode) == ("homeport", "homeport-traefik", 0o2750)


def test_nothing_else_listens_beyond_loopback(host: Host, listening: Callable[[], set[str]]) -> None:
    ours = {port for port in listening() if not port.startswith("udp")}
    own = {"tcp/22", "tcp/80", "tcp/443"}
    own |= {"tcp/2222"} if host.backend.host == "debian13" else {"tcp/14000", "tcp/15000"}
    assert {port for port in ours if int(port.partition("/")[2]) < 20000} == own


def test_firewall_lets_in_what_it_should(edge: Edge) -> None:
    assert edge.host.service("homeport-firewall.service").is_enabled
    second = edge.host.backend.host == "debian13"
    assert edge.visit("open", edge.base, "22") == "open"
    assert edge.visit("open", edge.base, "80") == "open"
    assert edge.visit("open", edge.base, "443") == "open"
    # sshd's second port was found in its settings; where it has none, the port is shut.
    assert edge.visit("open", edge.base, "2222") == ("open" if second else "silent")
    # Nobody listens there yet, and that is what one hears.
    assert edge.visit("open", edge.base, str(int(edge.tcp) + 1)) == "refused"


def test_firewall_drops_the_rest(edge: Edge) -> None:
    edge.host.check_output("systemd-run --unit=stranger --collect python3 -m http.server 9999")
    try:
        wait_for(lambda: edge.host.socket("tcp://0.0.0.0:9999").is_listening)
        assert edge.visit("open", edge.base, "9999") == "silent"
    finally:
        edge.host.check_output("systemctl stop stranger.service")
    rules = edge.host.check_output("nft list table inet homeport")
    assert "policy drop" in rules


def test_kernel_settings_are_loaded_as_far_as_a_container_lets(host: Host) -> None:
    assert host.check_output("tr -s '\\t' ' ' < /proc/sys/net/ipv4/tcp_rmem") == "4096 131072 16777216"
    assert host.check_output("cat /proc/sys/net/ipv4/tcp_slow_start_after_idle") == "0"
    assert "net.core.rmem_max = 8388608" in host.file("/etc/sysctl.d/60-homeport-edge.conf").content_string
    reserved = host.check_output("cat /proc/sys/net/ipv4/ip_local_reserved_ports")
    assert reserved == ("40000-40999" if host.backend.host == "debian13" else "")


def test_security_updates_install_themselves(host: Host) -> None:
    setting = host.check_output("apt-config dump APT::Periodic::Unattended-Upgrade")
    assert setting == 'APT::Periodic::Unattended-Upgrade "1";'
    assert host.service("apt-daily-upgrade.timer").is_enabled


def test_doctor_finds_nothing(host: Host) -> None:
    wait_for(lambda: host.run("homeport doctor").rc == 0, 30)


@pytest.fixture(scope="module")
def second_preview() -> dict[str, dict[str, int]]:
    return playbook("--check")


def test_second_preview_has_nothing_to_do(host: Host, second_preview: dict[str, dict[str, int]]) -> None:
    assert second_preview[host.backend.host]["changed"] == 0


def test_the_preview_was_true(host: Host) -> None:
    assert_the_preview_was_true(host)
