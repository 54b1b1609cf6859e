"""What is taken off a host, and what stays."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.homeport.agent.plugins.module_utils import removal_facts
from ansible_collections.homeport.agent.plugins.module_utils import removal_rules as removal

Decide = Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]
OWN = {"uid": 998, "group": "homeport", "home": "/srv/homeport/home", "comment": "Homeport"}
ROOT = {"root": {"uid": 0, "group": "root", "home": "/root", "comment": "root"}}
SERVICE = {"uid": 997, "group": "homeport", "home": "/x", "comment": ""}
SERVICES = {"homeport-caddy": SERVICE, "homeport-traefik": SERVICE}


@pytest.mark.parametrize(
    ("users", "has_group", "expected"),
    [
        ({**ROOT, **SERVICES, "homeport": OWN}, True, (list(SERVICES), "homeport", ["homeport"])),
        ({**ROOT, **SERVICES}, True, (list(SERVICES), "", ["homeport"])),
        (ROOT, True, ([], "", ["homeport"])),
        (ROOT, False, ([], "", [])),
        # A person of that name, with a group of that name.
        ({**ROOT, "homeport": {**OWN, "uid": 1000, "home": "/home/homeport", "comment": "H."}}, True, ([], "", [])),
        ({**ROOT, "homeport": {**OWN, "comment": "Homeport,,,"}}, True, ([], "", [])),
        ({**ROOT, "homeport": {**OWN, "uid": 0}}, True, ([], "", [])),
        # A person's account in our group keeps it.
        ({**ROOT, **SERVICES, "bob": {"uid": 1001, "group": "homeport", "home": "/home/bob", "comment": ""}}, True,
         (list(SERVICES), "", [])),
    ],
)  # fmt: skip
def test_only_accounts_that_were_made_here_go(
    decide: Decide,
    make_host: Callable[..., Any],
    components: list[Any],
    users: dict[str, Any],
    has_group: bool,
    expected: tuple[list[str], str, list[str]],
) -> None:
    observed = {"users": users, "groups": {"homeport": []} if has_group else {}}
    fact, _problems = decide(observed)
    found = removal.accounts(make_host(observed), fact, components)
    assert (found["services"], found["own"], found["groups"]) == expected


def test_everything_that_is_made_is_removed(
    decide: Decide, rules: SimpleNamespace, components: list[Any]
) -> None:
    """Whatever the host is today: each folder of an installation goes, by itself or with one above it."""
    for variables in (
        {},
        {"groups": ["workstation", "edge"]},
        {"groups": ["edge"]},
        {"homeport_rootless": True, "groups": ["workstation", "edge"]},
    ):
        for observed in ({}, {"systemd": False}):
            fact, _problems = decide(observed, variables)
            given = removal.removals(fact, components)
            gone = {*removal.paths(fact, given), *removal.data(given), *removal.parents(given)}
            # What a distribution or a home has anyway.
            anyway = {fact["bin"], fact["share"]}
            for row in rules.folders(fact):
                above = {row.path, *map(str, Path(row.path).parents)}
                assert above & gone or row.path in anyway, row.path


def test_a_person_without_root_keeps_what_is_theirs(
    decide: Decide, make_host: Callable[..., Any], components: list[Any]
) -> None:
    alice = {"home": "/home/alice", "user": "alice", "uid": 1000, "sudo": "none", "group": "alice"}
    fact, _problems = decide(alice, {"homeport_rootless": True})
    paths = removal.paths(fact, removal.removals(fact, components))
    assert all(path.startswith("/home/alice/") for path in paths)
    assert not {"/home/alice", "/home/alice/.local", "/home/alice/.local/share", "/home/alice/.config"} & set(
        paths
    )
    assert fact["software"] not in paths
    assert removal.accounts(make_host({"users": ROOT}), fact, components) == {
        "services": [],
        "own": "",
        "groups": [],
    }


@pytest.fixture
def home(
    tmp_path: Path,
    decide: Decide,
    rules: SimpleNamespace,
    make_host: Callable[..., Any],
    components: list[Any],
) -> tuple[Path, Callable[[], Any]]:
    """A home with an installation without root, and what would be removed of it."""
    observed = {"home": str(tmp_path), "user": "alice", "uid": 1000, "sudo": "none", "group": "alice"}
    fact, _problems = decide(observed, {"homeport_rootless": True})
    rows = rules.folders(fact)
    assert all(row.path.startswith(f"{tmp_path}/") for row in rows)  # nothing of this machine's is touched
    for row in rows:
        Path(row.path).mkdir(parents=True, exist_ok=True)
    for link in rules.links(fact):
        Path(link["path"]).symlink_to(link["target"])

    def look() -> Any:
        return removal_facts.removal(make_host({"users": ROOT}), fact, components)

    return tmp_path, look


def remove(paths: list[str]) -> None:
    subprocess.run(["rm", "-r", *paths], check=True)


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_certificates_and_the_edges_token_stay_with_the_data(home: tuple[Path, Callable[[], Any]]) -> None:
    folder, look = home
    share = folder / ".local/share/homeport"
    (share / "traefik/acme").mkdir(parents=True)
    (share / "traefik/acme/domains.json").write_text("{}")
    (share / "traefik/routes").mkdir()
    (folder / ".config/homeport/edge.toml").write_text("token")
    (folder / ".config/homeport/agent.toml").write_text("")
    found = look()
    assert found["here"]
    assert found["certificates"] == [str(share / "traefik/acme")]
    remove(found["paths"])
    assert left(folder / ".config/homeport") == ["edge.toml"]
    assert left(share) == ["data", "repos", "traefik", "traefik/acme", "traefik/acme/domains.json"]
    # Once more: nothing is left to do.
    assert look()["paths"] == []
    remove([str(share), str(folder / ".config/homeport")])
    assert not look()["here"]


def test_nothing_is_left_without_data(home: tuple[Path, Callable[[], Any]]) -> None:
    folder, look = home
    found = look()
    remove(found["paths"])
    remove([path for path in found["data"] if os.path.lexists(path) and "share/homeport/" not in path])
    standard = {".config", ".local", ".local/bin", ".local/share", ".local/state"}
    assert set(left(folder)) <= standard


def test_a_folder_of_others_stays(home: tuple[Path, Callable[[], Any]]) -> None:
    folder, look = home
    zsh, fish = folder / ".local/share/zsh/site-functions", folder / ".local/share/fish/vendor_completions.d"
    (zsh / "_other").touch()
    fish.chmod(0o2775)  # as a package makes it, to stay when it is empty
    paths = look()["paths"]
    assert str(zsh / "_homeport") in paths
    assert str(zsh) not in paths
    assert str(fish) not in paths
    assert str(folder / ".local/share/bash-completion") in paths
