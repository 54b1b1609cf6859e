"""`--check` on machines that know nothing of Homeport: it says what it would do, and does nothing."""

import pytest
from testinfra import get_hosts
from testinfra.host import Host

from conftest import EPHEMERAL, INVENTORY, playbook

MARK = "/run/before-preview"
# Written by SSH, systemd and Ansible's own connection whatever the playbook does.
NOISE = (
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/var/tmp",
    "/var/log",
    "/root/.ansible",
    "/var/lib/systemd",
)

testinfra_hosts = ["ansible://workstation"]


@pytest.fixture(scope="module")
def previewed() -> dict[str, dict[str, int]]:
    """One preview of all machines, between a mark and the tests' look at what is newer than it."""
    hosts = get_hosts(
        testinfra_hosts, ansible_inventory=str(INVENTORY), ssh_identity_file=str(EPHEMERAL / "id_ed25519")
    )
    for host in hosts:
        host.check_output("touch %s && sleep 1.1", MARK)
    return playbook("--check", "--diff")


def test_preview_says_what_it_would_do(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    counts = previewed[host.backend.host]
    assert counts["failed"] == 0
    assert counts["changed"] > 0


def test_preview_changes_no_file(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    pruned = " -o ".join(f"-path {path}" for path in NOISE)
    changed = host.check_output(f"find / -xdev \\( {pruned} \\) -prune -o -cnewer {MARK} -print")
    assert changed.split() == []


def test_preview_leaves_no_trace_of_homeport(host: Host, previewed: dict[str, dict[str, int]]) -> None:
    for path in (
        "/opt/homeport",
        "/srv/homeport",
        "/etc/homeport",
        "/run/homeport",
        "/usr/local/bin/homeport",
    ):
        assert not host.file(path).exists, path
    assert not host.group("homeport").exists
    assert not host.run("systemctl list-unit-files 'homeport*' --no-legend").stdout
