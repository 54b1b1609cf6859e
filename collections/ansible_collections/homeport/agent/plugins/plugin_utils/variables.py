"""The variables of roles: their defaults, their types, and what a host's inventory says of them.

A variable is declared in `meta/argument_specs.yml` of its role, and its default stands in `defaults/main.yml`, once.
Here all of them are read before any role runs, converted to their types, and compared with what a person has set: a
name that no role declares and a value of another type are errors, each with its fix.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

Json = dict[str, Any]
Problem = tuple[str, str]  # the error, and its fix

MOST_SHOWN = 60  # characters of a value in a message
NO_VALUE = (None,)  # `name:` with nothing behind it leaves the default
# Names of earlier releases. Whoever has one set means it still.
RENAMED = {
    "edge_system_sysctl": "edge_host_sysctl",
    "edge_system_unattended_upgrades": "edge_host_unattended_upgrades",
    "release_artifacts": "artifact_table",
    "release_keep": "artifact_keep_releases",
    "release_python": "artifact_python",
}
LIKENESS = 0.86  # from which on a declared name is offered for an unknown one

# What a value has to be before Ansible converts it. It would take a text for a list of one, and a list for a text; an
# inventory that says so means something else.
SHAPES: dict[str, tuple[type, ...]] = {
    "str": (str, int, float),
    "int": (int, str),
    "bool": (bool, str, int),
    "list": (list, tuple),
    "dict": (dict,),
}
WANTED = {
    "str": ("a text", "write it in quotes"),
    "int": ("a number", "write a number without quotes"),
    "bool": ("true or false", "write true or false"),
    "list": ("a list", ""),
    "dict": ("names with values", "write a line `name: value` for each below it"),
}


@dataclass(frozen=True)
class Role:
    """The variables of one role: what a person may set, with the default of each, and names of its own use."""

    name: str
    options: Json
    defaults: Json
    internal: frozenset[str]

    @property
    def is_for_people(self) -> bool:
        """Whether its variables are set by people; a role with required ones is called by other roles."""
        return bool(self.options) and not any(option.get("required") for option in self.options.values())


@dataclass
class Settings:
    """The values of variables, each of its type, and what is wrong with those that a host has."""

    values: Json = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_role(folder: Path, load: Callable[[Path], Any]) -> Role:
    """Read a role's folder; `load` reads one YAML file, whose templates are trusted."""
    specs = folder / "meta/argument_specs.yml"
    points = load(specs)["argument_specs"] if specs.is_file() else {}
    defaults = _load_optional(folder / "defaults/main.yml", load)
    internal = set(defaults) | set(_load_optional(folder / "vars/main.yml", load))
    internal |= {name for point in points.values() for name in point.get("options") or ()}
    for file in sorted((folder / "tasks").glob("*.yml")):
        internal |= set(_names_of(load(file)))
    options = points.get("main", {}).get("options") or {}
    return Role(folder.name, options, defaults, frozenset(internal - set(options)))


def _load_optional(file: Path, load: Callable[[Path], Any]) -> Json:
    return (load(file) or {}) if file.is_file() else {}


def _names_of(tasks: Any) -> Iterable[str]:
    """The variables that tasks make: registered, facts, and of their own."""
    if isinstance(tasks, list):
        for task in tasks:
            yield from _names_of(task)
    elif isinstance(tasks, Mapping):
        if isinstance(tasks.get("register"), str):
            yield tasks["register"]
        for key in ("ansible.builtin.set_fact", "vars"):
            yield from tasks.get(key) or ()
        for key in ("block", "rescue", "always"):
            yield from _names_of(tasks.get(key))


def settings(roles: Iterable[Role], given: Mapping[str, Any], render: Callable[[Any], Any]) -> Settings:
    """The value of each variable of some roles: that of the host, or else the default; secrets are left out.

    Roles that are called by other roles are passed over. `render` renders a template. A value of a wrong type is a
    problem, and its default stands in for it.
    """
    found = Settings()
    for role in filter(lambda role: role.is_for_people, roles):
        for name, option in role.options.items():
            default = render(role.defaults.get(name))
            value = render(given[name]) if name in given else None
            if value in NO_VALUE:
                value = default
            try:
                converted = convert(name, option, value)
            except ValueError as error:
                found.problems.append((str(error), fix(name, option, value)))
                converted = default
            if not option.get("no_log"):
                found.values[name] = converted
    return found


def convert(name: str, option: Json, value: Any) -> Any:
    """A value of the type that an option declares. Raises ValueError, which says what it is instead."""
    kind = option.get("type", "str")
    if kind == "raw":
        return value
    shown = "another value" if option.get("no_log") else _show(value)
    # A secret stays the text that it is, for the role reads it as it was given.
    shapes = SHAPES[kind][:1] if option.get("no_log") else SHAPES[kind]
    wanted = WANTED[kind][0]
    fits: bool = isinstance(value, shapes) and not (isinstance(value, bool) and kind in ("str", "int"))
    if not fits:
        raise ValueError(f"{name} is {shown}, where {wanted} belongs")
    if kind == "list":
        return [_element(name, option, element) for element in value]
    spec = {key: option[key] for key in ("type", "choices") if key in option}
    result = ArgumentSpecValidator({name: spec}).validate({name: value})
    if result.error_messages:
        choices = f" (one of {', '.join(map(str, option['choices']))})" if "choices" in option else ""
        raise ValueError(f"{name} is {shown}, where {wanted}{choices} belongs")
    return result.validated_parameters[name]


def _element(name: str, option: Json, value: Any) -> Any:
    return convert(f"an entry of {name}", {**option, "type": option.get("elements", "str")}, value)


def fix(name: str, option: Json, value: Any) -> str:
    """What a person writes instead."""
    kind = option.get("type", "str")
    if kind != "list":
        return WANTED[kind][1]
    if isinstance(value, (list, tuple)):
        return f"each entry is {WANTED[option.get('elements', 'str')][0]}"
    parts = [part.strip() for part in str(value).split(",")]
    is_number = option.get("elements") == "int" and all(part.isdigit() for part in parts)
    example = [int(part) for part in parts] if is_number else parts
    text = json.dumps(example)
    return f"write it as {name}: {text}, or with -e '{json.dumps({name: example})}'"


def _show(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…"


def unknown(roles: Iterable[Role], names: Iterable[str]) -> list[Problem]:
    """Names of earlier releases, and names that begin as the variables of a role do and that no role knows."""
    roles = list(roles)
    known = {name for role in roles for name in (*role.options, *role.internal)}
    prefixes = tuple(f"{role.name}_" for role in roles if role.is_for_people)
    offered = sorted(name for role in roles if role.is_for_people for name in role.options)
    found = []
    for name in sorted(names):
        if name in RENAMED:
            found.append((f"{name} has another name now", f"write {RENAMED[name]}"))
        if not name.startswith(prefixes) or name in known:
            continue
        near = difflib.get_close_matches(name, offered, 1, LIKENESS)
        own = sorted(option for option in offered if option.startswith(name.split("_", 1)[0] + "_"))
        advice = f"write {near[0]}" if near else f"leave it out; there are {', '.join(own)}"
        found.append((f"{name} is no variable of Homeport", advice))
    return found
