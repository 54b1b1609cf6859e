"""The components of an installation: one file a component, which says all that preflight and removal ask about it.

Preflight, removal and the reports loop over `load()` and know no component by name: a new one is a new file here, whose
`COMPONENT` is an instance of a subclass of `Component`.

Everything here is decided without I/O and with the standard library alone, on the controller (which variables a host
has) and on the host (everything else). Ansible sends to a host only what is imported by name, so the action plugin
`preflight` sends these files with its arguments (`sources`), and the module makes components of them (`compiled`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

Json = dict[str, Any]
Problem = tuple[str, str]  # the error, and its fix


@dataclass(frozen=True)
class Host:
    """What is known of a host before anything is decided.

    `observed` is what was seen of it; `settings` has the value of each variable of the roles, converted to its type.
    """

    observed: Json
    settings: Json
    groups: tuple[str, ...]
    name: str
    command: str  # that started this run, for a fix
    become_password: bool  # whether Ansible was given a password for sudo


class Folder(NamedTuple):
    """A folder, or a file, of an installation; an owner, group or mode of "" may be any."""

    path: str
    owner: str
    group: str
    mode: str


class ListenAddress(NamedTuple):
    """An address that a component listens at. `everywhere` says how the setting means all of the machine's."""

    setting: str
    address: str
    everywhere: str


@dataclass(frozen=True)
class Socket:
    """A TCP port that a component listens on.

    `addresses` are those it listens at; empty where a listener at any address is in the way. `setting` names the
    variable that chooses the port.
    """

    port: int
    setting: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proxy:
    """How a reverse proxy is checked, and brought back where it does not answer with what is new.

    `files` in the folder of settings or elsewhere are what it is started from, its own settings first; `addresses` are
    the URLs that it answers at; `log` is the file that it writes, where its manager does not keep one.
    """

    files: tuple[str, ...]
    addresses: tuple[str, ...]
    log: str = ""


@dataclass(frozen=True)
class Removal:
    """What a component may have left on a host, whatever the host is today.

    `paths` always go, what depends on others first; `data` goes with remove_data alone; `certificates` are folders
    in `paths` that stay without remove_data. `parents` go where nothing else is in them, the innermost first.
    """

    units: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()  # those of `data` that a person would miss
    certificates: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()  # files in `paths` that stay without remove_data
    parents: tuple[str, ...] = ()


class Component:
    """One component. Each method has the answer of a component that has nothing of the kind.

    `layout` arguments are the fact `homeport` as far as it is decided: the host's own part, and the parts of the
    components named in `after`; in all other methods it is whole. A component that a host has not has the part {}.
    """

    name = ""  # of its part of the fact
    after: tuple[str, ...] = ("agent",)
    groups: tuple[str, ...] = ("workstation", "edge")  # of the inventory, whose hosts may have it
    roles: tuple[str, ...] = ()  # whose variables it reads
    user = ""  # the system user that it runs as where there is root; its home is `data` of its part
    user_comment = ""
    group = (
        ""  # of its user where there is root, and of the agent's besides; "": the one that all others share
    )
    tool = ""  # the third-party program that it runs, by its name among the artifacts
    probes: dict[str, str] = {}  # noqa: RUF012 - constant; key in `observed["probes"][name]` -> path, with *, that may exist

    def watched_ports(self, settings: Json) -> list[int]:
        """TCP ports whose listeners preflight looks up, before anything is decided."""
        return []

    def layout(self, host: Host, layout: Json) -> Json:
        """Its part of the fact: where everything of it goes, and who runs it."""
        return {}

    def complete(self, host: Host, layout: Json, folders: list[Folder]) -> Json:
        """What it adds to its part when the parts and folders of all components are known."""
        return {}

    def folders(self, layout: Json) -> list[Folder]:
        """Its folders, parents first."""
        return []

    def files(self, layout: Json) -> list[Folder]:
        """Files that must be there before a process makes them for itself alone."""
        return []

    def links(self, layout: Json) -> list[Json]:
        """Symbolic links: path, target."""
        return []

    def system_folders(self, layout: Json) -> list[str]:
        """Folders of the system that get a file of it."""
        return []

    def sockets(self, layout: Json) -> list[Socket]:
        """The TCP ports that it listens on."""
        return []

    def owns(self, listener: Json, host: Host, layout: Json) -> bool:
        """Whether a listener on one of its ports is its own process."""
        return False

    def addresses(self, host: Host, layout: Json) -> list[ListenAddress]:
        """The addresses that it listens at, which must be this machine's."""
        return []

    def packages(self, host: Host, layout: Json) -> list[str]:
        """Debian packages that its role will install."""
        return []

    def proxy(self, layout: Json) -> Proxy | None:
        """How it is checked, if it is a reverse proxy."""
        return None

    def retired(self, layout: Json) -> list[str]:
        """Files and folders of processes that earlier releases ran and this one does not."""
        return []

    def removal(self, layout: Json) -> Removal:
        """What of it may be on a host; from the host's own part of the layout alone."""
        return Removal()

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        """Wrong variables, and what else would keep it from running; its ports and folders are compared elsewhere."""
        return []


def service_file(layout: Json, name: str) -> str:
    """Where the role `service` writes a service down: a unit of systemd, or a program of supervisord."""
    if layout["manager"] == "systemd":
        return f"/etc/systemd/system/{name}.service"
    return f"{layout['settings']}/programs/{name}.conf"


def sources() -> dict[str, str]:
    """The text of each component's file, by its name."""
    files = Path(__file__).parent.glob("*.py")
    return {file.stem: file.read_text(encoding="utf-8") for file in sorted(files) if file.stem != "__init__"}


def load() -> list[Component]:
    """The components of this package, each after those it builds upon."""
    return in_order(importlib.import_module(f"{__name__}.{name}").COMPONENT for name in sources())


def compiled(texts: dict[str, str]) -> list[Component]:
    """The components of such texts as `sources` gives, on a host whose copy of this package has no files of its own."""
    found = []
    for name, text in texts.items():
        module = ModuleType(f"{__name__}.{name}")
        exec(compile(text, f"components/{name}.py", "exec"), module.__dict__)  # noqa: S102 - this project's own files
        found.append(module.COMPONENT)
    return in_order(found)


def in_order(components: Iterable[Component]) -> list[Component]:
    """Components by name, each after those that its `after` names."""
    waiting = sorted(components, key=lambda component: component.name)
    ordered: list[Component] = []
    while waiting:
        known = {component.name for component in ordered}
        ready = next(component for component in waiting if set(component.after) <= known)
        waiting.remove(ready)
        ordered.append(ready)
    return ordered
