"""The edge's owner from the edge itself and from elsewhere; and ports of a workstation shared through it."""

from __future__ import annotations

import functools
import http.client
import json
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from ...cli.conftest import Homeport
from .conftest import until


def test_reservations(owner, edge) -> None:
    made = owner("reservations", "add", "tcp", str(edge.first + 5), "--allow", "192.0.2.0/24")
    assert (made.returncode, made.stdout) == (0, f"localhost:{edge.first + 5}\n")
    assert "192.0.2.0/24" in owner("reservations", "list").stdout
    twice = owner("reservations", "add", "tcp", str(edge.first + 5))
    assert (twice.returncode, "is reserved already" in twice.stderr) == (10, True)
    assert f"fix: homeport reservations change {edge.first + 5}" in twice.stderr
    assert owner("reservations", "remove", f"localhost:{edge.first + 5}").returncode == 0
    assert owner("reservations", "remove", "nothing").returncode == 4
    for arguments, code, said in (
        (("tcp", "99"), 7, "is not one of this edge's"),
        (("http", "under_score"), 7, "cannot be a name"),
        (("http", "app.example.org"), 7, "is a whole domain"),
        (("tcp", "--allow", "10.0.0.0/33"), 11, "is not a network"),
        (("tcp", "--max-rate", "9"), 2, "is no rate"),
        (("tcp", "many"), 2, "is not a port"),
        (("sctp",), 2, "is no kind of tunnel"),
    ):
        done = owner("reservations", "add", *arguments)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    done = owner("token", "rotate", "some", "--grace", "8d")
    assert (done.returncode, "fix: write 7d at most" in done.stderr) == (2, True)


def test_a_range_of_ports_is_reserved_or_none_of_it(owner, edge) -> None:
    def reserved():
        return {item["port"] for item in json.loads(owner("reservations", "list", "--json").stdout)}

    taken = reserved()  # by other tests
    first = next(n for n in range(edge.first, edge.first + 18) if not taken & {n, n + 1, n + 2})
    last = first + 2
    listed = f"{first}-{last}"
    made = owner("reservations", "add", "udp", listed, "--allow", "192.0.2.0/24")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [f"localhost:{number}" for number in range(first, last + 1)]
    removed = owner("reservations", "remove", listed)
    assert (removed.returncode, len(removed.stdout.splitlines())) == (0, 3), removed.stderr
    assert owner("reservations", "add", "udp", str(first + 1)).returncode == 0
    refused = owner("reservations", "add", "udp", listed)  # the one between is there
    assert (refused.returncode, f"change {first + 1} " in refused.stderr) == (10, True), refused.stderr
    assert {first, first + 1, last} & reserved() == {first + 1}
    missing = owner("reservations", "remove", listed)
    assert (missing.returncode, f"{first} is not reserved" in missing.stderr) == (4, True), missing.stderr
    assert owner("reservations", "remove", str(first + 1)).returncode == 0
    for kind in ("tcp", "udp"):
        assert owner("reservations", "add", kind, str(first)).returncode == 0
    both = owner("reservations", "remove", str(first))
    assert (both.returncode, "more than one reservation" in both.stderr) == (2, True), both.stderr
    assert first in reserved()
    for item in json.loads(owner("reservations", "list", "--json").stdout):
        if item["port"] == first:
            assert owner("reservations", "remove", item["id"]).returncode == 0
    for place, said in ((f"{last}-{first}", "the lower port first"), ("1-400", "256 at most")):
        wrong = owner("reservations", "add", "tcp", place)
        assert (wrong.returncode, said in wrong.stderr) == (2, True), wrong.stderr


def test_a_reservation_is_changed(owner, edge) -> None:
    made = json.loads(
        owner("reservations", "add", "http", "rules", "--allow", "192.0.2.9/24", "--json").stdout
    )
    try:
        done = owner("reservations", "change", "rules", "--max-connections", "9", "--max-rate", "500k")
        assert (
            done.stdout
            == f"{made['address']} lets in 192.0.2.0/24, at most 9 connections, at most 500 kB/s.\n"
        )
        assert "9 connections, 500 kB/s" in owner("reservations").stdout
        done = owner(
            "reservations", "change", "rules", "--passcode-stdin", "--max-rate", "1M", input="sesame"
        )
        assert "asks for a passcode, at most 9 connections, at most 1.0 MB/s" in done.stdout
        done = owner("reservations", "change", "rules", "--allow-all", "--no-limits", "--json")
        said = json.loads(done.stdout)
        assert (said["allow"], said["passcode"]) == ([], True)
        assert said["limits"] == {"connections": None, "bytes_per_second": None}
        done = owner("reservations", "change", "rules", "--no-passcode")
        assert done.stdout == f"{made['address']} lets in every network.\n"
        for arguments in (
            ("--allow-all", "--allow", "192.0.2.0/24"),
            ("--no-limits", "--max-rate", "1M"),
            ("--no-passcode", "--passcode"),
        ):
            done = owner("reservations", "change", "rules", *arguments)
            assert (done.returncode, "takes away what is given beside it" in done.stderr) == (2, True)
        assert owner("reservations", "change", "nothing").returncode == 4
    finally:
        assert owner("reservations", "remove", "rules").returncode == 0


def test_groups_alone_show_what_there_is(owner, homeport) -> None:
    def alike(group: str, *more: str) -> bool:
        shown, listed = owner(group, *more), owner(group, "list", *more)
        return shown.returncode == listed.returncode == 0 and shown.stdout == listed.stdout

    for group in ("tunnels", "reservations", "domains", "token"):
        for more in ((), ("--json",)):
            # Tunnels of other tests may end in between.
            until(functools.partial(alike, group, *more), f"{group} alone")
    assert "tunnels" in owner("token").stdout  # what each is for
    assert homeport("daemon").returncode == 3


def test_the_owner_elsewhere(homeport, owner, edge) -> None:
    assert homeport("token", "list").returncode == 4  # no agent here
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
    made = json.loads(homeport("token", "create", "phone", "--scope", "tunnel", "--json").stdout)
    assert made["id"] in homeport("token", "list", "--edge").stdout
    assert homeport("token", "rotate", made["id"], "--grace", "0").returncode == 0
    assert homeport("token", "revoke", made["id"]).returncode in (0, 4)  # its grace is over
    assert homeport("token").stdout == owner("token").stdout
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

    chosen = here("share", port, "--password-stdin", "--via", "edge", "--domain", "shop", input="open sesame")
    assert chosen.stdout.splitlines()[-1] == f"http://shop.tunnel.localhost:{edge.web}", chosen.stderr
    until(lambda: edge.visit(name)[0] in (404, 502, 503), "the other name is given up")
    until(lambda: edge.visit("shop", Accept="text/html")[0] == 401, "the chosen name leads there")
    kept = here("share", port, "--password-stdin", "--via", "edge", input="open sesame")
    assert kept.stdout.splitlines()[-1] == f"http://shop.tunnel.localhost:{edge.web}"
    alone = here("share", port, "--public", "--domain", "shop")
    assert (alone.returncode, "--via edge" in alone.stderr) == (2, True)

    # Guesses of one stranger lock out nobody else, and the log names both.
    stranger, friend = "127.0.0.7", "127.0.0.8"
    assert [type_password(edge, stranger, "wrong")[0] for _ in range(6)] == [401] * 5 + [429]
    assert type_password(edge, stranger, "open sesame")[0] == 429
    assert type_password(edge, friend, "open sesame") == (303, "/app?x=1")
    rows = json.loads(here("logs", port, "--json").stdout)
    assert {stranger, friend} <= {row["address"] for row in rows}

    assert here("unshare", port).returncode == 0
    assert json.loads(here("daemon", "status", "--json").stdout)["tunnels"] == []
    assert edge.visit(name)[0] in (404, 502, 503)
    assert Path(here.environment["HOME"], ".local/state/homeport/tunnels.json").exists()


def type_password(edge, source: str, password: str) -> tuple[int, str | None]:
    """Status and Location for a visitor with this address who sends the form of the name `shop`."""
    with closing(
        http.client.HTTPConnection("127.0.0.1", edge.web, 30, source_address=(source, 0))
    ) as connection:
        headers = {
            "Host": f"shop.tunnel.localhost:{edge.web}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": "203.0.113.99",  # its own word
        }
        form = urlencode({"password": password, "next": "/app?x=1"})
        connection.request("POST", "/.homeport/password", form, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Location"]


def test_the_doctor_and_the_lists_still_work_on_an_edge(owner) -> None:
    assert owner("list").returncode == 0
    assert owner("tunnels", "list").returncode == 0
