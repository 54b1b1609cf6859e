"""Tunnels of all kinds through a real edge, from a client on another machine."""

import pytest
from machines import wait_for

from conftest import RECONNECTED_S, UNITS, Edge

testinfra_hosts = ["ansible://edge"]


def test_http_has_a_certificate_of_its_own(connected: Edge) -> None:
    url = f"https://web.{connected.base}/"
    # Trusted by the visitor, who knows the authority and nobody else.
    wait_for(lambda: connected.visit("http", url).startswith("200 "), 30)
    assert connected.visit("http", url) == f"200 hello from {connected.client.check_output('hostname')}"


def test_without_tls_there_is_a_redirect(connected: Edge) -> None:
    answer = connected.visit("http", f"http://web.{connected.base}/a%2Fb")
    assert answer.split()[0] in {"301", "308"}
    assert f"https://web.{connected.base}/a%2Fb" in answer


def test_an_upgrade_goes_through(connected: Edge) -> None:
    assert connected.visit("upgrade", f"web.{connected.base}") == "101 through"


def test_tcp_goes_through_both_ways_and_ends(connected: Edge) -> None:
    text = "x" * 200_000
    assert connected.visit("tcp", connected.base, connected.tcp, text[:100_000]) == text[:100_000]


@pytest.mark.parametrize("size", ["1", "1200", "9000"])
def test_datagrams_go_through(connected: Edge, size: str) -> None:
    assert connected.visit("udp", connected.base, connected.udp, size) == "same"


def test_an_allowlist_is_enforced_by_the_visitors_real_address(connected: Edge) -> None:
    connected.ask("homeport tunnels add http 3000=guarded --allow 192.0.2.0/24")
    try:
        wait_for(lambda: connected.visit("http", f"https://guarded.{connected.base}/").startswith("403"), 30)
        own = connected.client.check_output("hostname -I").split()[0]
        connected.ask("homeport tunnels add http 3000=guarded --allow %s", own)
        wait_for(lambda: connected.visit("http", f"https://guarded.{connected.base}/").startswith("200"))
    finally:
        connected.ask("homeport tunnels remove guarded")


def test_the_admin_origin_answers_those_it_should(connected: Edge) -> None:
    admin = f"https://admin.{connected.base}"
    wait_for(lambda: connected.visit("http", f"{admin}/api/health").startswith("200 "), 30)
    assert connected.visit("http", f"{admin}/api/tunnels").startswith("401 ")


def test_an_unknown_name_is_told_from_a_broken_one(connected: Edge) -> None:
    answer = connected.visit("http", f"https://{connected.base}/", f"Host: nobody.{connected.base}")
    assert answer.startswith("404 ")


def test_the_edge_knows_its_tunnels(connected: Edge) -> None:
    live = [tunnel for tunnel in connected.tunnels() if tunnel["state"] == "live"]
    assert {tunnel["kind"] for tunnel in live} >= {"http", "tcp", "udp"}
    assert all(tunnel["last_byte_at"] for tunnel in live if tunnel["bytes_in"])


def test_traefik_and_the_agent_count(connected: Edge) -> None:
    metrics = connected.host.check_output("python3 -c %s", METRICS)
    assert "traefik_entrypoint_requests_total" in metrics


METRICS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:7071/metrics').read().decode())"


@pytest.mark.parametrize("unit", UNITS)
def test_whatever_is_killed_comes_back_with_its_tunnels(connected: Edge, unit: str) -> None:
    connected.host.check_output("systemctl kill --signal=KILL --kill-whom=main %s", unit)
    wait_for(connected.all_work, RECONNECTED_S)


def test_no_secret_in_the_logs(connected: Edge) -> None:
    token = connected.ask("grep -o 'hp_[A-Za-z0-9_-]*' ~/.config/homeport/edge.toml")
    journal = connected.host.check_output(
        "journalctl --no-pager --output=cat --unit=homeportd --unit=homeport-traefik"
    )
    journal += connected.client.check_output("journalctl --no-pager --output=cat _UID=$(id -u dev)")
    logs = connected.host.check_output(
        "cat /var/log/homeport-traefik/access.json /var/log/homeport-traefik/traefik.json"
    )
    assert logs
    assert token not in journal + logs
