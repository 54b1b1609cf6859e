"""The roles as Ansible itself reads them: their variables and templates for a host of our choice."""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
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


def plugin(name: str) -> ModuleType:
    """A plugin of the collection, by its kind and name: module_utils.rules."""
    return importlib.import_module(f"ansible_collections.homeport.agent.plugins.{name}")


@pytest.fixture(scope="session")
def components() -> list[Any]:
    """The components of an installation, in their order."""
    return list(plugin("module_utils.components").load())


@pytest.fixture(scope="session")
def rules(components: list[Any]) -> SimpleNamespace:
    """The rules of a layout, for all components: folders(fact) and so on."""
    module = plugin("module_utils.layout")
    names = ("folders", "links", "service_users", "retired", "written_folders")
    return SimpleNamespace(**{name: partial(getattr(module, name), components=components) for name in names})


@pytest.fixture(scope="session")
def settings() -> dict[str, Any]:
    """The variables of all roles with their defaults, as preflight reads them."""
    variables = plugin("plugin_utils.variables")
    loader = DataLoader()

    def load(path: Path) -> Any:
        return loader.load_from_file(str(path), trusted_as_template=True)

    roles = [variables.read_role(folder, load) for folder in sorted(ROLES.iterdir())]
    return dict(variables.settings(roles, {}, Templar(loader=loader, variables={}).template).values)


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


@pytest.fixture(scope="session")
def artifacts(defaults: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The rows of the programs that are installed by default, as the role artifact chooses them."""
    known = defaults("artifact")
    chosen: dict[str, Any] = plugin("plugin_utils.artifacts").choose(
        known["artifact_table"], known["artifact_sources"], {}, ROOT / "requirements", "x86_64"
    )
    return chosen


@pytest.fixture
def make_host(settings: dict[str, Any]) -> Callable[..., Any]:
    """What is known of a host that differs from OBSERVED and the defaults by the given values.

    `wanted` has variables by name, and `groups`, `command` and `become_password`.
    """
    kind = plugin("module_utils.components").Host

    def make(observed: dict[str, Any] | None = None, wanted: dict[str, Any] | None = None) -> Any:
        wanted = {
            "groups": ["workstation"],
            "command": "bin/site",
            "become_password": False,
            **(wanted or {}),
        }
        unknown = set(wanted) - set(settings) - {"groups", "command", "become_password"}
        assert not unknown
        return kind(
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
    rules = plugin("module_utils.layout")

    def decide_for(
        observed: dict[str, Any] | None = None, wanted: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        host = make_host(observed, wanted)
        found = rules.layout(host, components)
        # Room enough, on one file system, unless the test says otherwise.
        disk = {"nearest": "/", "device": 1, "free": 10**10, **host.observed.get("disk", {})}
        host.observed["disks"] = {found["software"]: disk, found["state"]: disk}
        problems = rules.problems(host, found, components)
        return found, [{"error": error, "fix": fix} for error, fix in problems]

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
