"""After a reboot nobody typed anything: units run, the share is there, a password opens it."""

import base64
from collections.abc import Callable

import pytest
from machines import wait_for
from testinfra.host import Host

from conftest import PASSWORD, PORT, STARTED_PORT, UNITS, Answer, as_user

testinfra_hosts = ["ansible://workstation"]

BASIC = "Authorization: Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()


@pytest.mark.parametrize("unit", UNITS)
def test_unit_came_back(host: Host, unit: str) -> None:
    wait_for(lambda: host.service(unit).is_running)


def test_firewall_came_back(host: Host) -> None:
    asked = host.ansible.get_variables().get("firewall_enabled", False)
    assert (host.run("nft list table inet homeport").rc == 0) is asked


def test_sockets_came_back(host: Host) -> None:
    for name in ("cli", "web", "gateway", "relay"):
        wait_for(lambda name=name: host.file(f"/run/homeport/{name}.sock").is_socket)


def test_dev_server_came_back(host: Host) -> None:
    wait_for(lambda: host.socket(f"tcp://127.0.0.1:{STARTED_PORT}").is_listening)
    as_user(host, "homeport stop started")


def test_doctor_finds_nothing(host: Host) -> None:
    assert as_user(host, "homeport doctor")


def test_share_survived(
    host: Host, dev_server: None, homeport: Callable[[str], dict], curl: Callable[..., Answer]
) -> None:
    port = wait_for(lambda: next((port for port in homeport("list")["ports"] if port["port"] == PORT), None))
    assert port["share"]["mode"] == "password"
    assert port["share"]["expires_at"] is not None
    name = f"{PORT}.localhost"
    assert curl(name, "/", "Accept: */*").status == 401
    wait_for(lambda: "hello from demo" in curl(name, "/", "Accept: */*", BASIC).body)
