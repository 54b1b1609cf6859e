"""The components of an installation: one file each, and nothing beside them that names one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.homeport.agent.plugins.module_utils import components as package
from ansible_collections.homeport.agent.plugins.module_utils import layout as rules
from ansible_collections.homeport.agent.plugins.module_utils import removal_rules as removal

PLUGINS = Path(package.__file__).parents[2]
NAMES = sorted(path.stem for path in (PLUGINS / "module_utils/components").glob("[a-z]*.py"))
# What loops over them.
GENERAL = [
    "modules/preflight.py",
    "action/preflight.py",
    "module_utils/layout.py",
    "module_utils/host_rules.py",
]
GENERAL += ["module_utils/removal_rules.py", "module_utils/removal_facts.py"]
NEW = """
from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component, Folder, Removal, Socket,
)


class Editor(Component):
    name = "editor"
    groups = ("workstation",)
    tool = "editor"
    user = "homeport-editor"

    def layout(self, host, layout):
        return {"data": f"{layout['state']}/editor", "port": 7777}

    def folders(self, layout):
        return [Folder(layout["editor"]["data"], self.user, layout["group"], "0700")]

    def sockets(self, layout):
        return [Socket(7777, "editor_port")]

    def removal(self, layout):
        return Removal(("homeport-editor.service",), paths=(f"{layout['state']}/editor",))

    def problems(self, host, layout):
        return [("the editor is unhappy", "make it happy")]


COMPONENT = Editor()
"""


def test_a_file_is_a_component_of_its_name(components: list[Any]) -> None:
    assert sorted(component.name for component in components) == NAMES
    for component in components:
        before = {other.name for other in components[: components.index(component)]}
        assert set(component.after) <= before


def test_a_host_makes_the_same_components_of_their_texts(components: list[Any]) -> None:
    made = package.compiled(package.sources())
    assert [component.name for component in made] == [component.name for component in components]


def test_components_import_only_what_the_module_brings() -> None:
    """Ansible sends to a host what the module imports by name; the texts of components come on top of that."""
    pattern = re.compile(r"plugins\.module_utils(?:\.(\w+))? import (\w+)")

    def imports(text: str) -> set[str]:
        return {first or second for first, second in pattern.findall(text)}

    brought, waiting = set(), imports((PLUGINS / "modules/preflight.py").read_text())
    while waiting:
        name = waiting.pop()
        brought.add(name)
        file = PLUGINS / f"module_utils/{name}.py"
        waiting |= (imports(file.read_text()) if file.is_file() else set()) - brought
    for text in package.sources().values():
        assert imports(text) <= brought


@pytest.mark.parametrize("file", GENERAL)
def test_what_loops_over_components_names_none(file: str) -> None:
    """But the agent, which every host has: its user owns what is handed over."""
    text = (PLUGINS / file).read_text()
    code = re.sub(r'"""(?:.|\n)*?"""|#.*', "", text)
    assert [
        name for name in NAMES if name != "agent" and re.search(rf"""\["{name}"\]|\b{name}\.""", code)
    ] == []


def test_a_new_component_is_a_new_file(make_host: Callable[..., Any]) -> None:
    components = package.compiled({**package.sources(), "editor": NEW})
    host = make_host({"listeners": {"7777": []}})
    layout = rules.layout(host, components)
    assert layout["editor"] == {"data": "/srv/homeport/editor", "port": 7777}
    assert 7777 in layout["own_ports"]
    assert "editor" in layout["tools"]
    assert "/srv/homeport/editor" in [folder.path for folder in rules.folders(layout, components)]
    assert "homeport-editor" in [user["name"] for user in rules.service_users(layout, components)]
    disk = {"nearest": "/", "device": 1, "free": 10**10}
    host.observed["disks"] = {layout["software"]: disk, layout["state"]: disk}
    assert ("the editor is unhappy", "make it happy") in rules.problems(host, layout, components)
    given = removal.removals(layout, components)
    assert "homeport-editor.service" in removal.units(layout, given)
    assert str(Path("/srv/homeport/editor")) in removal.paths(layout, given)
