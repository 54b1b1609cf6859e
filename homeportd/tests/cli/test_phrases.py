from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from homeportd.cli.output import phrases

from .canned import port, repo, share

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-11-20T14:00:00.000Z", "14:00"),
        ("2026-11-21T14:00:00.000Z", "tomorrow 14:00"),
        ("2026-11-19T14:00:00.000Z", "yesterday 14:00"),
        ("2026-11-24T14:00:00.000Z", "Tue 14:00"),
        ("2026-11-27T14:00:00.000Z", "27 Nov 14:00"),
        ("2027-01-03T14:00:00.000Z", "3 Jan 2027 14:00"),
        ("2026-11-20T23:30:00.000Z", "23:30"),
    ],
)
def test_a_moment_is_said_by_its_distance(text, said) -> None:
    assert phrases.moment(text, NOW) == said


def test_a_moment_is_said_in_the_time_zone_of_the_person() -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))

    assert phrases.moment("2026-11-20T23:30:00.000Z", berlin) == "tomorrow 00:30"


SOON = "2026-11-21T14:00:00.000Z"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({}, "Only you can open port 3000, once you have logged in to the dashboard."),
        ({"mode": "public"}, "Anyone can open port 3000 until you unshare it."),
        (
            {"mode": "public", "host_header": "keep"},
            "Anyone can open port 3000 until you unshare it. The server sees the public name.",
        ),
        (
            {"mode": "public", "subdomains": True},
            "Anyone can open port 3000 until you unshare it. Names below its own lead there too, such as"
            " http://foo.3000.localhost:8080.",
        ),
        (
            {"mode": "password", "expires_at": SOON},
            "Anyone with the password can open port 3000 until tomorrow 14:00.",
        ),
        (
            {"mode": "public", "allow": ["10.0.0.0/8", "203.0.113.7/32"]},
            "Anyone from 10.0.0.0/8 or 203.0.113.7/32 can open port 3000 until you unshare it.",
        ),
        (
            {"mode": "password", "max_uses": 3, "uses": 2, "expires_at": SOON},
            "Anyone with the password can open port 3000, 1 more time, until tomorrow 14:00.",
        ),
        (
            {"mode": "public", "expired": True, "expires_at": "2026-11-20T12:00:00.000Z"},
            "The share ended 12:00: only you can open port 3000, once you have logged in to the dashboard.",
        ),
    ],
)
def test_a_share_is_one_true_sentence(state, sentence) -> None:
    assert phrases.sentence(share(3000, **state), NOW) == sentence


def test_an_expired_share_counts_as_private() -> None:
    ended = share(3000, mode="public", expired=True, expires_at="2026-11-20T12:00:00.000Z")

    assert phrases.mode(ended).text == "private"
    assert phrases.until(ended, NOW) == "ended 12:00"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "vite", "subdir": "frontend"}, "vite · frontend"),
        ({"title": "vite", "subdir": ""}, "vite"),
        ({"title": None, "command": "/opt/bin/thing --port 3000"}, "thing"),
        ({"title": None, "command": ""}, "a program of ada"),
        ({"title": None, "command": None, "user": None}, "owner not visible"),
        ({"title": None, "command": None, "user": "root", "foreign": True}, "a program of root"),
        ({"title": "vite", "subdir": "web", "user": "root", "foreign": True}, "vite · web · root's"),
        ({"title": "vite", "user": "games", "foreign": True}, "vite · games'"),
        (
            {"title": "db", "user": "root", "foreign": True, "container": {"name": "shop_db_1"}},
            "db · container",
        ),
        (
            {"title": "db", "user": "games", "foreign": True, "container": {"name": "shop_db_1"}},
            "db · games' container",
        ),
        ({"listening": False}, "nothing listens"),
    ],
)
def test_a_port_is_called_what_a_person_would_call_it(changes, said) -> None:
    assert phrases.what(port(3000, **changes)) == said


MOVE = "sudo mv '/root/my proj' /srv/repos/x && sudo chown -R ada: /srv/repos/x"


@pytest.mark.parametrize(
    ("command", "as_root", "said"),
    [
        (
            "sudo chown -R ada: /x",
            False,
            "it is listed and shared here; to let Homeport work in it: sudo chown -R ada: /x",
        ),
        (MOVE, False, f"it is listed and shared here; to let Homeport work in it: {MOVE}"),
        (
            MOVE,
            True,
            f"it is listed and shared here; to let Homeport work in it: {MOVE.replace('sudo ', '')}",
        ),
        (None, False, "it is listed and shared here."),
    ],
)
def test_another_persons_repo_is_named_with_the_command_that_hands_it_over(command, as_root, said) -> None:
    theirs = repo("proj", [], owner="root", foreign=True, handover=command)
    assert phrases.handover(theirs, as_root) == f"proj is root's: {said}"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3 * 3600 + 720, "3 h 12 min"), (93600, "1 d 2 h")],
)
def test_a_duration_has_two_units(seconds, said) -> None:
    assert phrases.duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (7_900_000_000, "7.9 GB"),
        (512e9, "512 GB"),
        (2.5e12, "2.5 TB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_a_size_has_a_decimal_unit(count, said) -> None:
    assert phrases.size(count) == said
