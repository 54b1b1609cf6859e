"""A changed setting restarts what reads it, and nothing else."""

from __future__ import annotations

import pytest
from machines import machines, pids, playbook, wait_for
from testinfra.host import Host

from conftest import UNITS, as_user

testinfra_hosts = ["ansible://workstation"]

Pids = dict[str, dict[str, str]]  # host -> unit -> main process


@pytest.fixture(scope="module")
def before() -> Pids:
    """The processes before the setting changed; then it is changed on all machines by one run."""
    found = {host.backend.host: pids(host, UNITS) for host in machines("workstation")}
    setting = '{"homeport_port_ranges": ["5000-5999"]}'
    for counts in playbook("--tags", "homeportd", "--extra-vars", setting).values():
        assert counts["failed"] == 0
        assert counts["changed"] > 0
    return found


def test_the_agent_reads_it_after_a_restart_and_caddy_runs_on(host: Host, before: Pids) -> None:
    wait_for(lambda: host.run("runuser -l dev -c %s", "homeport status").rc == 0)
    old, new = before[host.backend.host], pids(host, UNITS)
    assert new["homeportd.service"] != old["homeportd.service"]
    assert new["homeport-caddy.service"] == old["homeport-caddy.service"]
    assert '"5000-5999"' in host.file("/etc/homeport/agent.toml").content_string
    assert as_user(host, "homeport doctor")


def test_the_inventory_brings_it_back(before: Pids) -> None:
    assert all(counts["changed"] > 0 for counts in playbook().values())
    # By root this time: the owner of the data decides, and the reason stays the one that it was.
    assert all(counts["changed"] == 0 for counts in playbook("--extra-vars", "person=root").values())
