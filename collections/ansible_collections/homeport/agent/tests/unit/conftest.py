"""What a host is to be, decided without one: `ansible-test units` runs the tests here, without a controller's Python.

The defaults of variables are those of the roles beside the collection, in which each stands once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible_collections.homeport.agent.plugins.module_utils import components as all_components
from ansible_collections.homeport.agent.plugins.module_utils import layout
from ansible_collections.homeport.agent.plugins.plugin_utils import variables

ROLES = Path(__file__).parents[6] / "roles"

# What the module preflight sees on a fresh Debian with one person, as root under systemd.
OBSERVED: dict[str, Any] = {
    "os": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
    "python": {"path": "/usr/bin/python3", "version": [3, 11, 2]},
    "systemd": True,
    "uid": 0,
    "user": "root",
    "group": "root",
    "home": "/root",
    "sudo": "none",
    "sudo_user": None,
    "users": {
        "root": {"uid": 0, "group": "root", "home": "/root", "comment": "root"},
        "alice": {"uid": 1000, "group": "alice", "home": "/home/alice", "comment": "Alice"},
    },
    "groups": {"root": [], "alice": []},
    "data_owner": None,
    "recorded": {"user": "", "reason": ""},
    "handover": None,
    "rootless_here": False,
    "machine": "x86_64",
    "memory": 1_000_000,  # kB: too little for an editor
    "ipv6": True,
    "crontab": True,
    "ssh_ports": [],
    "listeners": {},
    "container": False,
    "installations": [],
    "addresses": ["127.0.0.1", "::1", "192.0.2.7"],
    "refused_addresses": [],
    "folders": [],
    "account_mounts": [],
}
PROBES = {
    "edge_host": {"unattended_upgrades": False},
    "firewall": {"nft": True},
    "localhost_names": {"library": False},
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def plain(value: Any) -> Any:
    """A default as it stands: none of a variable that a person may set is a template."""
    assert "{{" not in str(value)
    return value


# Read once: ansible-test runs each test in a process of its own, forked from the one that has imported this.
_COMPONENTS = list(all_components.load())
_SETTINGS = variables.settings(
    [variables.read_role(folder, read) for folder in sorted(ROLES.iterdir())], {}, plain
).values


@pytest.fixture(scope="session")
def components() -> list[Any]:
    """The components of an installation, in their order."""
    return _COMPONENTS


@pytest.fixture(scope="session")
def rules() -> SimpleNamespace:
    """The rules of a layout, for all components: folders(fact) and so on."""
    names = ("folders", "links", "proxies", "service_users", "shared_groups", "retired", "written_folders")
    return SimpleNamespace(**{name: partial(getattr(layout, name), components=_COMPONENTS) for name in names})


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    """The variables of all roles with their defaults, as preflight reads them."""
    return _SETTINGS


@pytest.fixture
def make_host(settings: dict[str, Any]) -> Callable[..., Any]:
    """What is known of a host that differs from OBSERVED and the defaults by the given values.

    `wanted` has variables by name, and `groups`, `command` and `become_password`.
    """

    def make(observed: dict[str, Any] | None = None, wanted: dict[str, Any] | None = None) -> Any:
        wanted = {
            "groups": ["workstation"],
            "command": "bin/site",
            "become_password": False,
            **(wanted or {}),
        }
        unknown = set(wanted) - set(settings) - {"groups", "command", "become_password"}
        assert not unknown
        return all_components.Host(
            observed={**OBSERVED, "probes": PROBES, **(observed or {})},
            settings={name: wanted.get(name, value) for name, value in settings.items()},
            groups=tuple(wanted["groups"]),
            name="box",
            command=wanted["command"],
            become_password=wanted["become_password"],
        )

    return make


@pytest.fixture
def decide(
    make_host: Callable[..., Any], components: list[Any]
) -> Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]:
    """Layout and problems of such a host."""

    def decide_for(
        observed: dict[str, Any] | None = None, wanted: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        host = make_host(observed, wanted)
        found = layout.layout(host, components)
        # Room enough, on one file system, unless the test says otherwise.
        disk = {"nearest": "/", "device": 1, "free": 10**10, **host.observed.get("disk", {})}
        host.observed["disks"] = {found["software"]: disk, found["state"]: disk}
        problems = layout.problems(host, found, components)
        return found, [{"error": error, "fix": fix} for error, fix in problems]

    return decide_for
