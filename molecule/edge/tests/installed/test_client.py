"""The client's daemon as a service of its user's own systemd: nobody is logged in, and it stays."""

import pytest
from machines import wait_for

from conftest import RECONNECTED_S, Edge

testinfra_hosts = ["ansible://edge"]

UNIT = "homeport-tunnels.service"
# The unit's own minute would make a long test.
QUICK = "[Service]\\nWatchdogSec=4\\nTimeoutAbortSec=2\\n"
NOTICED_S = 20


def pid(edge: Edge) -> str:
    return edge.ask(f"systemctl --user show --property=MainPID --value {UNIT}")


@pytest.fixture
def unit(connected: Edge) -> Edge:
    wait_for(lambda: connected.run(f"systemctl --user is-active {UNIT}").rc == 0)
    wait_for(connected.all_work, RECONNECTED_S)
    return connected


def test_a_killed_daemon_comes_back_with_its_tunnels(unit: Edge) -> None:
    before = pid(unit)
    unit.ask(f"systemctl --user kill --signal=KILL {UNIT}")
    wait_for(lambda: pid(unit) not in {"0", before})
    wait_for(unit.all_work, RECONNECTED_S)


def test_a_daemon_that_hangs_is_replaced(unit: Edge) -> None:
    folder = f"~/.config/systemd/user/{UNIT}.d"
    unit.ask(f"mkdir -p {folder} && printf '{QUICK}' > {folder}/quick.conf")
    unit.ask(f"systemctl --user daemon-reload && systemctl --user restart {UNIT}")
    try:
        before = pid(unit)
        unit.ask("kill -STOP %s", before)
        wait_for(lambda: pid(unit) not in {"0", before}, NOTICED_S)
        said = unit.client.check_output(f"journalctl --no-pager --output=cat --lines=30 USER_UNIT={UNIT}")
        assert "Watchdog timeout" in said
    finally:
        unit.ask(f"rm -r {folder} && systemctl --user daemon-reload && systemctl --user restart {UNIT}")
    wait_for(unit.all_work, RECONNECTED_S)


def test_stop_ends_the_tunnels_and_start_brings_them_back(unit: Edge) -> None:
    unit.ask("homeport daemon stop")
    assert unit.run("homeport daemon status").rc != 0
    wait_for(lambda: all(tunnel["state"] != "live" for tunnel in unit.tunnels()))
    unit.ask("homeport daemon start")
    wait_for(unit.all_work, RECONNECTED_S)
