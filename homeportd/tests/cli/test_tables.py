from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homeportd.cli.output import tables
from homeportd.cli.output.terminal import Screen, width_of

from .canned import access, port, repo, share

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
PLAIN = Screen(None, False)
PUBLIC = share(3000, mode="public", generation=1, expires_at="2026-11-21T14:00:00.000Z")


def test_ports_stand_under_their_repo() -> None:
    repos = [repo("manifold", [3000, 8000], dirty=True), repo("client-website", [])]
    ports = [
        port(3000, PUBLIC, repo="manifold", title="vite", subdir="frontend"),
        port(8000, repo="manifold", subdir=""),
        port(9000, title=None, command=None, user=None),
    ]

    assert tables.by_repo(repos, ports, PLAIN, NOW) == [
        "manifold (running: 3000, 8000)  main *",
        "  :3000  vite · frontend    public   until tomorrow 14:00  http://3000.localhost:8080",
        "  :8000  python             private                        http://8000.localhost:8080",
        "client-website (stopped)  main",
        "Ports without a repo",
        "  :9000  owner not visible  private                        http://9000.localhost:8080",
    ]


def test_other_peoples_repos_are_named_below_the_table() -> None:
    theirs = repo("proj", [3000], owner="root", foreign=True, handover="sudo chown -R ada: /proj")
    page = tables.by_repo([theirs], [port(3000, repo="proj", user="root", foreign=True)], PLAIN, NOW)

    assert page[1].split("  ")[1:3] == [":3000", "python · root's"]
    assert page[2:] == [
        "",
        "proj is root's: it is listed and shared here; to let Homeport work in it: sudo chown -R ada: /proj",
    ]


def test_a_shared_port_on_which_nothing_listens_is_listed() -> None:
    gone = port(3000, PUBLIC, listening=False, addresses=[])

    assert tables.by_repo([], [gone], PLAIN, NOW)[1].split("  ")[1:4] == [
        ":3000",
        "nothing listens",
        "public",
    ]


def test_a_repo_with_such_a_port_alone_is_stopped() -> None:
    gone = port(3000, PUBLIC, listening=False, repo="manifold")

    assert tables.by_repo([repo("manifold", [])], [gone], PLAIN, NOW)[0].startswith("manifold (stopped)")


def test_an_empty_page_teaches() -> None:
    assert tables.by_repo([], [], PLAIN, NOW)[1] == "  python3 -m http.server 8000 --bind 127.0.0.1"
    assert "python3 -m http.server" in tables.port_table([], PLAIN, NOW)[1]
    page = tables.by_repo([repo("manifold", [])], [], PLAIN, NOW)
    assert page[0] == "manifold (stopped)  main"
    assert "python3 -m http.server" in page[-1]


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 120])
def test_every_page_fits_the_screen(width) -> None:
    narrow = Screen(width, False)
    ports = [
        port(3000, PUBLIC, repo="r" * 50, subdir="a/" * 40, title="vite"),
        port(4000, share(4000, mode="password", allow=["10.0.0.0/8"] * 9, max_uses=3)),
    ]
    pages = [
        tables.by_repo([repo("r" * 50, [3000, 3001], branch="b" * 70)], ports, narrow, NOW),
        tables.port_table(ports, narrow, NOW),
        tables.access_log([access(1, path="/" * 500, user_agent="u" * 500)], narrow, NOW),
    ]

    for page in pages:
        for line in page:
            if line != "Ports without a repo":
                assert width_of(line) <= width


def test_colour_never_comes_without_its_word() -> None:
    lines = tables.port_table([port(3000, PUBLIC), port(4000)], Screen(120, True), NOW)

    assert "\x1b[32mpublic\x1b[0m" in lines[1]
    assert "\x1b[90mprivate\x1b[0m" in lines[2]


def test_what_a_visitor_sent_cannot_steer_the_terminal() -> None:
    rude = access(1, path="/\x1b[2J", user_agent="\x1b]0;owned\x07")
    lines = tables.access_log([rude], Screen(120, True), NOW)
    names = tables.by_repo([repo("\x1b[2Jx", [], branch="\x9b1m")], [], PLAIN, NOW)

    assert "\x1b[2J" not in lines[1]
    assert "\x07" not in lines[1]
    assert all(line.isprintable() for line in names)


def test_two_programs_on_one_number_are_both_listed_with_the_one_that_is_led_to() -> None:
    [own] = port(5052, title="vite", addresses=["::1"])["programs"]
    theirs = own | {"title": "python", "user": "bob", "foreign": True, "dialled": False}
    theirs |= {"addresses": ["127.0.0.1"]}
    both = port(5052, title="vite", programs=[own, theirs])
    page = "\n".join(tables.by_repo([], [both], PLAIN, NOW))
    assert ":5052" in page
    assert "python · bob's on 127.0.0.1" in page
    assert "not led to" in page
    assert "bob" in "\n".join(tables.port_table([both], PLAIN, NOW))


def test_a_paused_share_says_why_and_how_it_goes_on() -> None:
    shared = share(4230, mode="public", generation=1, paused="It was made for the repo /srv/shop.")
    page = "\n".join(tables.by_repo([], [port(4230, shared)], PLAIN, NOW))
    assert "paused" in page
    assert "homeport share 4230 --resume" in page
