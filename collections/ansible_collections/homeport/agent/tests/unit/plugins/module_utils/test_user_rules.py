"""Which user the agent serves, why, and what is handed over: decided without a host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
ALICE = {"uid": 1000, "user": "alice", "group": "alice", "home": "/home/alice", "sudo": "free"}
USERS = {
    name: {"uid": uid, "group": name, "home": f"/home/{name}"}
    for name, uid in (("root", 0), ("alice", 1000), ("bob", 1001), ("homeport", 1002))
}
BOBS = {"data_owner": "bob", "users": USERS}


def texts(problems: list[dict[str, str]], key: str = "error") -> str:
    return "\n".join(problem[key] for problem in problems)


@pytest.mark.parametrize(
    ("observed", "variables", "user", "reason"),
    [
        # The images of clouds have an account, which is nobody's word.
        ({}, {}, "homeport", "root"),
        ({"sudo_user": "root"}, {}, "homeport", "root"),
        ({"sudo_user": "gone"}, {}, "homeport", "root"),
        ({"sudo_user": "alice"}, {}, "alice", "sudo"),
        (ALICE, {}, "alice", "sudo"),
        ({**ALICE, "sudo": "none"}, {"homeport_rootless": True}, "alice", "rootless"),
        ({"sudo_user": "bob", "users": USERS}, {"homeport_user": "alice"}, "alice", "setting"),
        ({}, {"groups": ["edge"]}, "homeport", "edge"),
        ({"sudo_user": "alice"}, {"groups": ["edge"]}, "homeport", "edge"),
        (BOBS, {}, "bob", "data"),
        ({**BOBS, "sudo_user": "alice"}, {}, "bob", "data"),
        # An installation that is older than the reasons.
        ({"data_owner": "homeport", "users": USERS}, {}, "homeport", "root"),
        (
            {"data_owner": "homeport", "users": USERS},
            {"groups": ["edge"]},
            "homeport",
            "edge",
        ),
        # Interrupted between making the folder and giving it away.
        ({"data_owner": "root", "sudo_user": "alice"}, {}, "alice", "sudo"),
        # The account was deleted: its data goes to whoever installs.
        ({"data_owner": "1005", "sudo_user": "alice"}, {}, "alice", "sudo"),
    ],
)
def test_the_agents_user_is_the_person(
    decide: Decide, observed: dict[str, Any], variables: dict[str, Any], user: str, reason: str
) -> None:
    fact, problems = decide(observed, variables)
    assert (fact["agent"]["user"], fact["agent"]["user_reason"]) == (user, reason)
    assert problems == []


@pytest.mark.parametrize("reason", ["setting", "sudo", "root", "data"])
@pytest.mark.parametrize("who", [{}, {"sudo_user": "alice"}, ALICE])
def test_a_second_run_by_anybody_keeps_the_reason(decide: Decide, who: dict[str, Any], reason: str) -> None:
    fact, _problems = decide({**who, **BOBS, "recorded": {"user": "bob", "reason": reason}})
    assert (fact["agent"]["user"], fact["agent"]["user_reason"], fact["agent"]["handover"]) == (
        "bob",
        reason,
        {},
    )


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ({"user": "alice", "reason": "sudo"}, "data"),  # of another user: somebody changed the owner by hand
        ({"user": "bob", "reason": "no such word"}, "data"),
        ({"user": "bob", "reason": "edge"}, "data"),  # the edge became a workstation
    ],
)
def test_a_reason_that_no_longer_holds_is_not_kept(
    decide: Decide, recorded: dict[str, str], reason: str
) -> None:
    assert decide({**BOBS, "recorded": recorded})[0]["agent"]["user_reason"] == reason


def test_another_user_is_handed_what_the_agent_has(decide: Decide) -> None:
    fact, problems = decide(
        BOBS, {"homeport_user": "alice", "groups": ["workstation", "edge"], "traefik_bind": "127.0.0.1"}
    )
    assert problems == []
    handover = fact["agent"]["handover"]
    assert (handover["from"], handover["to"]) == (["bob"], "alice")
    assert {folder["path"]: folder["group"] for folder in handover["folders"]} == {
        "/srv/homeport/repos": "alice",
        "/srv/homeport/data": "alice",
        "/run/homeport": "homeport",
        "/var/lib/homeport-traefik/routes": "homeport-traefik",
    }


def test_our_own_user_gets_it_back_without_its_home(decide: Decide) -> None:
    fact, problems = decide(BOBS, {"homeport_user": "homeport"})
    assert problems == []
    assert fact["agent"]["handover"]["from"] == ["bob"]
    assert "/srv/homeport/home" not in [folder["path"] for folder in fact["agent"]["handover"]["folders"]]


@pytest.mark.parametrize(
    ("wanted", "user", "sources"),
    [
        ("", "alice", ["bob"]),
        ("alice", "alice", ["bob"]),
        ("bob", "bob", ["alice"]),
        ("homeport", "homeport", ["alice", "bob"]),
    ],
)
def test_an_interrupted_handover_goes_on(decide: Decide, wanted: str, user: str, sources: list[str]) -> None:
    """Whoever owns the folder by then, whoever runs it, and whatever is wanted now."""
    for owner in ("bob", "alice"):
        fact, problems = decide(
            {"data_owner": owner, "users": USERS, "handover": {"from": ["bob"], "to": "alice"}},
            {"homeport_user": wanted},
        )
        assert problems == []
        assert (fact["agent"]["user"], fact["agent"]["handover"]["from"]) == (user, sources)


def test_the_agent_of_the_earlier_user_is_no_stranger_on_the_edges_ports(decide: Decide) -> None:
    listener = {
        "address": "127.0.0.1",
        "uid": 1001,
        "user": "bob",
        "pid": None,
        "exe": None,
        "command": "/opt/homeport/current/bin/python /opt/homeport/current/bin/homeportd serve",
    }
    edge = {"groups": ["workstation", "edge"], "traefik_bind": "127.0.0.1"}
    observed = {**BOBS, "listeners": {"7070": [listener]}}
    assert decide(observed, {**edge, "homeport_user": "alice"})[1] == []
    stranger = {**observed, "listeners": {"7070": [{**listener, "user": "carol"}]}}
    assert "port 7070 at 127.0.0.1 is taken" in texts(decide(stranger, {**edge, "homeport_user": "alice"})[1])


def test_a_name_without_an_account_is_refused(decide: Decide) -> None:
    _fact, problems = decide(BOBS, {"homeport_user": "carol"})
    assert "carol, who has no account here" in texts(problems)
    assert "adduser carol" in texts(problems, "fix")


@pytest.mark.parametrize(
    ("sudo", "given", "error", "fix"),
    [
        ("password", False, "sudo on box asks for the password of alice", "bin/site -i inventory/mine -K"),
        ("refused", False, "alice has no right to use sudo on box", "homeport_rootless: true for box"),
        ("refused", True, "alice has no right to use sudo on box", "adduser alice sudo"),
        ("none", False, "alice is not root on box, and there is no sudo", "homeport_rootless: true for box"),
    ],
)
def test_without_root_nobody_is_installed_for_by_silence(
    decide: Decide, sudo: str, given: bool, error: str, fix: str
) -> None:
    observed, variables = (
        {**ALICE, "sudo": sudo},
        {"become_password": given, "command": "bin/site -i inventory/mine"},
    )
    fact, [problem] = decide(observed, variables)
    assert fact["rootful"] is True
    assert error in problem["error"]
    assert fix in problem["fix"]
    assert decide(observed, {**variables, "homeport_rootless": True})[1] == []
    # What was installed without root stays so.
    fact, problems = decide({**observed, "rootless_here": True}, variables)
    assert (fact["rootful"], problems) == (False, [])
