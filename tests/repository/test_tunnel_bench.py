"""What bench/tunnel.py makes of what its tools say; the measuring itself is not a test."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def tunnel():
    """The script, which has its neighbours beside it."""
    for name in ("psutil", "httpx"):
        pytest.importorskip(name)
    sys.path.insert(0, str(BENCH))
    try:
        spec = importlib.util.spec_from_file_location("bench_tunnel", BENCH / "tunnel.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCH))


def test_iperf_counts_what_arrived(tunnel) -> None:
    end = {
        "sum_sent": {"bits_per_second": 9e9, "bytes": 9},
        "sum_received": {"bits_per_second": 2e9, "bytes": 5e8},
    }
    assert tunnel.received(json.dumps({"end": end})) == (2.0, 0.5)
    with pytest.raises(ValueError, match="refused"):
        tunnel.received('{"error": "refused"}')


def test_wrk_with_errors_is_no_result(tunnel) -> None:
    assert tunnel.requests_per_second("Requests/sec:   3424.51\n") == 3424.51
    for complaint in ("Non-2xx or 3xx responses: 4", "Socket errors: connect 0, read 3"):
        with pytest.raises(ValueError, match="errors"):
            tunnel.requests_per_second(f"{complaint}\nRequests/sec: 3\n")


def test_ratios_are_of_the_same_turn_and_null_without_a_peer(tunnel) -> None:
    assert tunnel.ratio([2, 30, 4], [1, 10, 1]) == 3.0
    assert tunnel.ratio([2], []) is None
    ways = {
        "homeport": tunnel.Figures(up=[3.0], down=[2.0], cpu=[2.5], rps=[3000.0], pps=[70000.0]),
        "openssh": tunnel.Figures(up=[1.5], down=[4.0], cpu=[4.0]),
    }
    found = tunnel.results(ways)
    assert (found["tcp_up_ratio_to_openssh"], found["tcp_down_ratio_to_openssh"]) == (2.0, 0.5)
    assert found["tcp_up_ratio_to_frp"] is found["http_rps_ratio_to_frp"] is None
    assert found["cpu_s_per_gb"] == 2.5


def test_a_peer_that_is_not_made_is_null_with_the_command_that_makes_it(
    tunnel, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("HOMEPORT_PARTS", str(tmp_path))
    monkeypatch.setattr(tunnel.peers.shutil, "which", lambda *_args, **_named: None)
    with pytest.raises(tunnel.peers.Missing, match=r"no program frps: bin/real-parts frp$"):
        tunnel.peers.find_program("frps")
