"""A changed setting restarts what reads it, and nothing else."""

import json

import pytest
from machines import ROOT, machines, pids, playbook, wait_for
from testinfra.host import Host

from conftest import UNITS, Edge

testinfra_hosts = ["ansible://edge"]

AGENT, TRAEFIK = UNITS
Pids = dict[str, dict[str, str]]  # host -> unit -> main process


def everywhere() -> Pids:
    return {host.backend.host: pids(host, UNITS) for host in machines("edge")}


@pytest.fixture(scope="module")
def stages() -> list[Pids]:
    """The processes before, after a change of the agent's settings, and after one of Traefik's."""
    found = [everywhere()]
    # What the first changed stays, so that the second is one change: by the edges' own playbook, and by a tag.
    wanted: dict[str, object] = {"homeportd_admin_allow": ["192.0.2.0/24"]}
    for change, options, file in (
        ({}, (), ROOT / "playbooks/edge.yml"),
        ({"traefik_acme_email": "other@example.org"}, ("--tags", "traefik"), ROOT / "site.yml"),
    ):
        wanted |= change
        for counts in playbook("--extra-vars", json.dumps(wanted), *options, file=file).values():
            assert counts["failed"] == 0
            assert counts["changed"] > 0
        found.append(everywhere())
    return found


def test_each_restarts_what_reads_it(host: Host, stages: list[Pids]) -> None:
    before, agent, traefik = (stage[host.backend.host] for stage in stages)
    assert agent[AGENT] != before[AGENT]
    assert agent[TRAEFIK] == before[TRAEFIK]
    assert traefik[AGENT] == agent[AGENT]
    assert traefik[TRAEFIK] != agent[TRAEFIK]


def test_admin_is_refused_by_address(connected: Edge, stages: list[Pids]) -> None:
    wait_for(lambda: connected.visit("http", f"https://admin.{connected.base}/api/health").startswith("403 "))


def test_tunnels_are_back(connected: Edge, stages: list[Pids]) -> None:
    wait_for(connected.all_work, 30)


def test_the_inventory_brings_it_back(stages: list[Pids]) -> None:
    [(name, counts)] = playbook("--limit", "debian12").items()
    assert (name, counts["changed"] > 0) == ("debian12", True)
    after = playbook()
    assert (after["debian12"]["changed"], after["debian13"]["changed"] > 0) == (0, True)
