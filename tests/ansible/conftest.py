"""The roles as Ansible itself reads them: their variables and templates for a host of our choice."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROOT = Path(__file__).parents[2]
ROLES = ROOT / "roles"
COLLECTIONS = ROOT / "collections"
PLUGINS = COLLECTIONS / "ansible_collections/homeport/agent/plugins"
# As Ansible's own loader does: the collection is a namespace package.
sys.path.insert(0, str(COLLECTIONS))

# What homeport_preflight sees on a fresh Debian with one person, as root under systemd.
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
    "data_owner": None,
    "recorded": {"user": "", "reason": ""},
    "handover": None,
    "rootless_here": False,
    "ipv6": True,
    "crontab": True,
    "nft": True,
    "ssh_ports": [],
    "listeners": [],
    "edge_listeners": {},
    "container": False,
    "has_group": False,
    "installations": [],
    "addresses": ["127.0.0.1", "::1", "192.0.2.7"],
    "refused_addresses": [],
    "folders": [],
    "account_mounts": [],
}
WISHES: dict[str, Any] = {
    "workstation": True,
    "edge": False,
    "origin": "http://{port}.localhost:8080",
    "port_ranges": ["3000-9999"],
    "user": "",
    "rootless": False,
    "become_password": False,
    "host": "box",
    "command": "bin/site",
    "bind": ["127.0.0.1", "::1"],
    "port": 8080,
    "trusted_proxies": [],
    "firewall": "auto",
    "localhost_names": False,
    "python": "/usr/bin/python3",
    "any_os": False,
    "edge_url": "http://{name}.tunnel.localhost:8081",
    "edge_bind": "",
    "edge_listen": "127.0.0.1:7070",
    "tcp_ports": "20000-29999",
    "udp_ports": "20000-29999",
    "admin_allow": [],
    "dns_provider": "",
}


def plugin(name: str) -> ModuleType:
    """A plugin of the collection, by its kind and name: module_utils.rules."""
    return importlib.import_module(f"ansible_collections.homeport.agent.plugins.{name}")


@pytest.fixture(scope="session")
def rules() -> ModuleType:
    return plugin("module_utils.rules")


@pytest.fixture(scope="session")
def facts() -> ModuleType:
    return plugin("module_utils.host_facts")


@pytest.fixture(scope="session")
def processes() -> ModuleType:
    return plugin("module_utils.processes")


@pytest.fixture(scope="session")
def releases() -> ModuleType:
    return plugin("module_utils.releases")


@pytest.fixture(scope="session")
def release_facts() -> ModuleType:
    return plugin("module_utils.release_facts")


@pytest.fixture
def decide(rules: ModuleType) -> Callable[..., tuple[dict[str, Any], list[dict[str, str]]]]:
    """Layout and problems of a host that differs from OBSERVED and WISHES by the given values."""

    def decide_for(
        observed: dict[str, Any] | None = None, wishes: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        seen = {**OBSERVED, **(observed or {})}
        wished = {**WISHES, **(wishes or {})}
        place = rules.layout(seen, wished)
        # Room enough, on one file system, unless the test says otherwise.
        disk = {
            "nearest": "/",
            "device": 1,
            "free": 10**10,
            **seen.get("disk", {}),
        }
        seen["disks"] = {place["software"]: disk, place["state"]: disk}
        return place, rules.problems(seen, wished, place)

    return decide_for


@pytest.fixture
def render() -> Callable[..., str]:
    """Render an expression with a role's own defaults and vars, strictly, by Ansible's own engine."""

    def render_in(role: str, expression: str, **variables: Any) -> str:
        loader = DataLoader()
        loader.set_basedir(str(ROLES / role))
        values: dict[str, Any] = {}
        for folder in ("defaults", "vars"):
            file = ROLES / role / folder / "main.yml"
            if file.is_file():
                values.update(loader.load_from_file(str(file), trusted_as_template=True) or {})
        values.update(
            role_path=str(ROLES / role), ansible_search_path=[str(ROLES / role)], ansible_check_mode=False
        )
        values.update(variables)
        return str(Templar(loader=loader, variables=values).template(trust_as_template(expression)))

    return render_in


@pytest.fixture(scope="session")
def defaults() -> Callable[[str], dict[str, Any]]:
    """A role's defaults, as templates that Ansible trusts."""

    def load_defaults(role: str) -> dict[str, Any]:
        path = ROLES / role / "defaults/main.yml"
        return dict(DataLoader().load_from_file(str(path), trusted_as_template=True) or {})

    return load_defaults
