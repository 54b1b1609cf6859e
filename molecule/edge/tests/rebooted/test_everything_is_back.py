"""After a reboot of both ends nobody typed anything: firewall, certificates, reservations, tunnels are there."""

import pytest
from machines import wait_for
from testinfra.host import Host

from conftest import UNITS, Edge

testinfra_hosts = ["ansible://edge"]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_came_back(host: Host, unit: str) -> None:
    wait_for(lambda: host.service(unit).is_running)


def test_firewall_came_back(edge: Edge) -> None:
    assert edge.host.run("nft list table inet homeport").rc == 0
    # The network between two machines that have just begun takes a moment.
    wait_for(lambda: edge.visit("open", edge.base, "22") == "open")


def test_tunnels_came_back_with_their_names_and_certificates(connected: Edge) -> None:
    # The authority did not come back: these certificates are those of before.
    wait_for(connected.all_work, 40)


def test_reservations_survived(connected: Edge) -> None:
    listed = connected.host.check_output("homeport reservations list")
    assert connected.tcp in listed
    assert connected.udp in listed
