"""The machine itself: its addresses, its read-only folders, another installation of Homeport."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.homeport.agent.plugins.module_utils import host_facts as facts

Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
BOB = "/home/bob/.local/share/homeport"
ALICE = {"uid": 1000, "user": "alice", "group": "alice", "home": "/home/alice", "sudo": "none"}
NOWHERE = "192.0.2.99"  # of a network for documentation: on no machine


def listener(user: str, installation: str | None, address: str = "127.0.0.1") -> dict[str, Any]:
    return {
        "address": address,
        "uid": 1001,
        "user": user,
        "pid": None,
        "exe": None,
        "command": None,
        "installation": installation,
    }


# -- addresses


@pytest.mark.parametrize(
    ("variables", "refused", "error", "fix"),
    [
        (
            {"caddy_bind": ["127.0.0.1", "10.9.9.9"]},
            ["10.9.9.9"],
            "caddy_bind has 10.9.9.9",
            "127.0.0.1, ::1, 192.0.2.7",
        ),
        (
            {"groups": ["workstation", "edge"], "traefik_bind": "10.9.9.9"},
            ["10.9.9.9"],
            "traefik_bind has 10.9.9.9",
            "leave it empty for all",
        ),
        (
            {"groups": ["workstation", "edge"], "homeportd_edge_listen": "127.0.0.2:7070"},
            ["127.0.0.2"],
            "homeportd_edge_listen has 127.0.0.2",
            "127.0.0.1:7070",
        ),
    ],
)
def test_an_address_of_another_machine_is_named_with_those_that_are_here(
    decide: Decide, variables: dict[str, Any], refused: list[str], error: str, fix: str
) -> None:
    _fact, [problem] = decide({"refused_addresses": refused}, variables)
    assert error in problem["error"]
    assert "no address of this machine" in problem["error"]
    assert fix in problem["fix"]


def test_a_machine_without_ipv6_is_told_so(decide: Decide) -> None:
    variables = {"groups": ["workstation", "edge"], "homeportd_edge_listen": "[::1]:7070"}
    _fact, [problem] = decide({"refused_addresses": ["::1"], "ipv6": False}, variables)
    assert problem["error"] == "homeportd_edge_listen has ::1, but this machine has no IPv6"
    # Caddy's default ::1 is left out there, and is no problem.
    assert decide({"refused_addresses": ["::1"], "ipv6": False})[1] == []


def test_an_address_that_is_none_is_reported_once(decide: Decide) -> None:
    _fact, problems = decide({"refused_addresses": ["nonsense"]}, {"caddy_bind": ["nonsense"]})
    assert len(problems) == 1


def test_a_long_list_of_addresses_is_cut(decide: Decide) -> None:
    own = [f"10.0.0.{number}" for number in range(1, 31)]
    _fact, [problem] = decide(
        {"addresses": own, "refused_addresses": ["10.9.9.9"]}, {"caddy_bind": ["10.9.9.9"]}
    )
    assert "10.0.0.8 and 22 more" in problem["fix"]


def test_the_kernel_is_asked_for_addresses() -> None:
    own = facts.own_addresses()
    assert "127.0.0.1" in own
    assert len(own) == len(set(own))
    # Others may come and go meanwhile, with the machine's containers.
    assert facts.refused_addresses(["127.0.0.1", "0.0.0.0", "127.0.0.77"]) == []
    if Path("/proc/sys/net/ipv4/ip_nonlocal_bind").read_text().strip() == "0":
        assert facts.refused_addresses(["127.0.0.1", NOWHERE, "fe80::1%nosuch"]) == [
            NOWHERE,
            "fe80::1%nosuch",
        ]


@pytest.mark.parametrize(
    "answer", [b"", b"\1" * 15, b"\0" * 64, b"\xff" * 64, bytes([20, 0, 0, 0, 20, 0]) * 9]
)
def test_a_strange_answer_of_the_kernel_ends(answer: bytes) -> None:
    found: list[str] = []
    facts._read_addresses(answer, found)
    assert found == []


# -- folders


def folder(nearest: str, why: str, mount: str = "/") -> dict[str, str]:
    return {"path": f"{nearest}/homeport", "nearest": nearest, "mount": mount, "why": why}


@pytest.mark.parametrize(
    ("folders", "container", "error", "fix"),
    [
        ([folder("/etc", "read-only", "/etc")], False, "/etc cannot be written: /etc is mounted", "remount,rw /etc"),
        ([folder("/etc", "read-only")], True, "/ is mounted read-only", "without --read-only"),
        ([folder("/etc", "immutable")], False, "attribute immutable", "chattr -i /etc"),
        ([folder("/etc", "append-only")], False, "attribute append-only", "chattr -a /etc"),
        ([folder("/opt", "not a folder")], False, "/opt is not a folder", "mv /opt /opt.old"),
        ([folder("/opt", "permission")], False, "cannot be written by root", "chown root: /opt"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_written(
    decide: Decide, folders: list[dict[str, str]], container: bool, error: str, fix: str
) -> None:
    _fact, [problem] = decide({"folders": folders, "container": container})
    assert error in problem["error"]
    assert fix in problem["fix"]


def test_a_read_only_file_system_is_one_problem(decide: Decide) -> None:
    names = ["/etc", "/opt", "/srv", "/usr/local/bin"]
    found = [folder(name, "read-only") for name in [*names, "/etc"]]
    _fact, [problem] = decide({"folders": [*found, folder("/var", "")]})
    assert problem["error"] == "/etc, /opt, /srv, /usr/local/bin cannot be written: / is mounted read-only"


def test_accounts_that_cannot_be_added(decide: Decide) -> None:
    _fact, [problem] = decide({"account_mounts": ["/etc/passwd"]})
    assert "/etc/passwd is a mount of its own" in problem["error"]


def test_every_folder_of_a_run_is_looked_at(decide: Decide, rules: SimpleNamespace) -> None:
    def looked_at(variables: dict[str, Any], **observed: Any) -> set[str]:
        fact, _problems = decide(observed, variables)
        return set(rules.written_folders(fact))

    system = looked_at({})
    assert {"/etc/homeport", "/usr/local/bin", "/etc/systemd/system", "/etc/tmpfiles.d"} <= system
    assert "/etc/sysctl.d" not in system
    assert "/etc/sysctl.d" in looked_at({"groups": ["workstation", "edge"]})
    own = looked_at({"homeport_rootless": True}, **ALICE)
    assert own
    assert all(path.startswith("/home/alice/") for path in own)


def test_folders_are_looked_at_without_a_change(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = tmp_path.stat().st_mtime_ns
    asked = [f"{tmp_path}/new/deep", f"{tmp_path}/file/new"]
    assert [row["why"] for row in facts.folders(asked, as_root_later=False)] == ["", "not a folder"]
    assert facts.folders(asked, as_root_later=False)[0]["nearest"] == str(tmp_path)
    assert tmp_path.stat().st_mtime_ns == before


def test_an_immutable_folder_is_seen(tmp_path: Path) -> None:
    if not shutil.which("chattr") or subprocess.run(["chattr", "+i", tmp_path], check=False).returncode:
        pytest.skip("left out: no attributes on this file system, or not root")
    try:
        assert facts.folders([f"{tmp_path}/new"], as_root_later=True)[0]["why"] == "immutable"
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)


# -- another installation


def test_anothers_ports_are_named_once_with_the_account(decide: Decide) -> None:
    observed = {
        "installations": [{"software": BOB, "user": "bob"}],
        "listeners": {
            "8080": [listener("bob", BOB), listener("bob", BOB, "::1")],
            "7070": [listener("bob", BOB)],
            "8081": [listener("bob", BOB)],
        },
    }
    _fact, [problem] = decide(observed, {"groups": ["workstation", "edge"], "traefik_bind": "127.0.0.1"})
    assert problem["error"] == (
        f"Homeport is installed here already, for bob, in {BOB}, on port 7070, 8080, 8081"
    )
    for word in ("sign in as bob", "as bob: .venv/bin/ansible-playbook", "homeport_rootless=true"):
        assert word in problem["fix"]
    for word in (
        "caddy_port (and the port in homeport_origin)",
        "homeportd_edge_listen",
        "homeport_edge_url",
    ):
        assert word in problem["fix"]


def test_anothers_installation_on_other_ports_is_let_be(decide: Decide) -> None:
    assert decide({"installations": [{"software": BOB, "user": "bob"}]})[1] == []
    elsewhere = listener("bob", BOB, "10.0.0.1")
    assert (
        decide({"installations": [{"software": BOB, "user": "bob"}], "listeners": {"8080": [elsewhere]}})[1]
        == []
    )


def test_one_account_has_one_installation(decide: Decide) -> None:
    own = {"software": "/home/alice/.local/share/homeport", "user": "alice"}
    _fact, [problem] = decide({"installations": [own], "sudo_user": "alice"})
    assert "for alice, in /home/alice/.local/share/homeport" in problem["error"]
    assert "bin/site -e homeport_rootless=true" in problem["fix"]
    assert "other ports" not in problem["fix"]
    # The other way round: without root, where root's is there.
    rootful = {"software": "/opt/homeport", "user": "alice"}
    _fact, [problem] = decide({**ALICE, "installations": [rootful]}, {"homeport_rootless": True})
    assert "for alice, in /opt/homeport" in problem["error"]
    assert "bin/site -K" in problem["fix"]
    assert "as root: .venv/bin/ansible-playbook playbooks/remove.yml (" in problem["fix"]
    # Its own is none.
    assert decide({**ALICE, "installations": [own]}, {"homeport_rootless": True})[1] == []


def test_roots_installation_is_known_by_its_caddy(decide: Decide) -> None:
    caddy = listener("homeport-caddy", "/opt/homeport")
    observed = {
        **ALICE,
        "installations": [{"software": "/opt/homeport", "user": "bob"}],
        "listeners": {"8080": [caddy]},
    }
    _fact, [problem] = decide(observed, {"homeport_rootless": True})
    assert "for bob, in /opt/homeport, on port 8080" in problem["error"]


def test_a_stranger_is_still_a_stranger(decide: Decide) -> None:
    _fact, [problem] = decide({"listeners": {"8080": [listener("www-data", None)]}})
    assert "port 8080 at 127.0.0.1 is taken by a process of user www-data" in problem["error"]
    # Whoever only says that he is root's installation is not believed.
    liar = {
        **listener("mallory", "/opt/homeport"),
        "command": "/opt/homeport/tools/caddy/1/bin/caddy",
        "pid": 7,
    }
    _fact, [problem] = decide({"listeners": {"8080": [liar]}})
    assert "is taken by" in problem["error"]


@pytest.mark.parametrize(
    ("exe", "command", "installation"),
    [
        (f"{BOB}/tools/caddy/2.11.7/bin/caddy", "caddy run", BOB),
        ("/usr/bin/python3.11", f"{BOB}/current/bin/python {BOB}/current/bin/homeportd serve", BOB),
        ("/usr/bin/python3.11", "/opt/homeport/releases/0.1.0+3f/bin/homeportd serve", "/opt/homeport"),
        ("/usr/sbin/nginx", "nginx", None),
        ("/usr/bin/python3", "python3 -m http.server --directory /home/bob/homeport/current", None),
        ("/usr/bin/python3", "/opt/\x1b[31m/homeport/tools/caddy", None),
    ],
)  # fmt: skip
def test_an_installation_is_known_by_its_programs(exe: str, command: str, installation: str | None) -> None:
    row = {"pid": 7, "uid": 1001, "user": "bob", "exe": exe, "command": command}
    facts.name_installations([row])
    assert row["installation"] == installation


def test_an_installation_is_known_by_command_lines_where_sockets_are_hidden(tmp_path: Path) -> None:
    program = tmp_path / "homeport/tools/caddy/1/bin/caddy"
    program.parent.mkdir(parents=True)
    program.symlink_to(shutil.which("sleep") or "/bin/sleep")
    with subprocess.Popen([program, "60"]) as process:
        try:
            # The kernel lets Popen go on before it has the command line in place.
            while not Path(f"/proc/{process.pid}/cmdline").read_bytes():
                pass
            assert facts._installation_of(os.getuid()) is not None
        finally:
            process.kill()
    assert facts._installation_of(4_000_000_000) is None


def test_installations_are_found_in_homes(tmp_path: Path) -> None:
    software = tmp_path / ".local/share/homeport"
    software.mkdir(parents=True)
    account = pwd.struct_passwd(("bob", "x", 1001, 1001, "", str(tmp_path), "/bin/bash"))
    found = {"software": str(software), "user": "bob"}
    assert found not in facts.installations([account], tmp_path)
    (software / "current").symlink_to("releases/gone")
    assert found in facts.installations([account], tmp_path)
