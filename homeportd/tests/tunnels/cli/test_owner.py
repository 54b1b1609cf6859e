"""The edge's owner from the edge itself and from elsewhere; and ports of a workstation shared through it."""

from __future__ import annotations

import json
from pathlib import Path

from ...cli.conftest import Homeport
from .conftest import until


def test_reservations(owner, edge) -> None:
    made = owner("reservations", "add", "tcp", str(edge.first + 5), "--allow", "192.0.2.0/24")
    assert (made.returncode, made.stdout) == (0, f"localhost:{edge.first + 5}\n")
    assert "192.0.2.0/24" in owner("reservations", "list").stdout
    twice = owner("reservations", "add", "tcp", str(edge.first + 5))
    assert (twice.returncode, "is reserved already" in twice.stderr) == (1, True)
    assert owner("reservations", "remove", f"localhost:{edge.first + 5}").returncode == 0
    assert owner("reservations", "remove", "nothing").returncode == 4
    assert owner("reservations", "add", "tcp", "99").returncode == 1
    assert owner("reservations", "add", "sctp").returncode == 2


def test_the_owner_elsewhere(homeport, owner, edge) -> None:
    none = homeport("reservations", "list")
    assert (none.returncode, "--api-token-stdin" in none.stderr) == (4, True)
    wrong = homeport("init", "--api-token-stdin", input="hp_wrong\n")
    assert wrong.returncode == 5
    key = owner("token", "create", "remote").stdout.splitlines()[-1]
    done = homeport("init", "--api-token-stdin", input=f"{key}\n")
    assert done.returncode == 0, done.stderr
    assert homeport("reservations", "add", "http", "fromafar").stdout == (
        f"http://fromafar.tunnel.localhost:{edge.web}\n"
    )
    assert "fromafar" in homeport("reservations", "list").stdout
    assert homeport("reservations", "remove", "fromafar").returncode == 0
    assert "fromafar" not in homeport("tunnels", "list", "--json").stdout


def test_a_port_shared_through_the_edge(owner, edge, token, homeport) -> None:
    port = str(edge.whole.dev)
    here = Homeport(edge.config)  # on the workstation, with that user's edge and daemon
    here.environment |= {"HOME": homeport.environment["HOME"]}
    here.environment.pop("XDG_RUNTIME_DIR", None)
    without = here("share", port, "--public", "--via", "edge")
    assert (without.returncode, "homeport daemon start" in without.stderr) == (3, True)
    assert here("share", port, "--public", "--via", "moon").returncode == 2
    assert here("daemon", "start").returncode == 0

    done = here("share", port, "--public", "--via", "edge")
    assert done.returncode == 0, done.stderr
    address = done.stdout.splitlines()[-1]
    name = address.removeprefix("http://").partition(".")[0]
    assert address == f"http://{name}.tunnel.localhost:{edge.web}"
    until(lambda: edge.visit(name)[0] == 200, "the public share")

    secret = here("share", port, "--password-stdin", "--via", "edge", input="open sesame")
    assert secret.stdout.splitlines()[-1] == address
    until(lambda: edge.visit(name, Accept="text/html")[0] == 401, "the workstation decides")

    allowed = here("share", port, "--public", "--via", "edge", "--allow", "127.0.0.0/8", "--json")
    assert json.loads(allowed.stdout)["edge_url"] == address
    until(lambda: edge.visit(name)[0] == 200, "the tunnel is let in")
    here("share", port, "--public", "--via", "edge", "--allow", "192.0.2.0/24")
    until(lambda: edge.visit(name)[0] == 403, "the edge turns others away")

    assert here("unshare", port).returncode == 0
    assert json.loads(here("daemon", "status", "--json").stdout)["tunnels"] == []
    assert edge.visit(name)[0] in (404, 502, 503)
    assert Path(here.environment["HOME"], ".local/state/homeport/tunnels.json").exists()


def test_the_doctor_and_the_lists_still_work_on_an_edge(owner) -> None:
    assert owner("list").returncode == 0
    assert owner("tunnels", "list").returncode == 0
