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


def plugin(name: str) -> ModuleType:
    """A plugin of the collection, by its kind and name: module_utils.rules."""
    return importlib.import_module(f"ansible_collections.homeport.agent.plugins.{name}")


# Hosts, their settings and layouts are made as in the collection's own tests.
_unit = importlib.import_module("ansible_collections.homeport.agent.tests.unit.conftest")
components, settings, make_host, decide = _unit.components, _unit.settings, _unit.make_host, _unit.decide


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
