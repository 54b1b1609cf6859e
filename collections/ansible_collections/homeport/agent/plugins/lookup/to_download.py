# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Which locks an installation on a host will have to download: the agent's, and those of programs it needs."""

from __future__ import annotations

DOCUMENTATION = r"""
name: to_download
author: Homeport (@homeport)
short_description: The locks that a host lacks
description:
  - Compares the fact C(homeport) with the agent's sources and the table of programs; only this machine is looked at.
options:
  _terms:
    description: The fact C(homeport), the rows of M(homeport.agent.artifacts), and the program that builds the agent.
    required: true
"""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """File names below requirements/; empty on a finished host."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        homeport, artifacts, builder = terms
        return missing(homeport, artifacts, agent_sources(Path(builder)))


def agent_sources(builder: Path) -> str:
    """The hash that the name of the agent's release ends with."""
    loader = SourceFileLoader("homeport_build_wheel", str(builder))
    spec = spec_from_loader(loader.name, loader)
    if spec is None:  # never, where a loader was given
        raise ImportError(f"{builder} cannot be imported")
    module = module_from_spec(spec)
    loader.exec_module(module)
    return str(module.sources())


def missing(homeport: dict[str, Any], artifacts: dict[str, Any], sources: str) -> list[str]:
    locks = []
    agent = homeport["installed"]["agent"]
    if not any(name.endswith(f"+{sources}") for name in agent["complete"]) or not agent["origin"]:
        locks.append("agent.txt")
    for tool in homeport["tools"]:
        artifact, installed = artifacts[tool], homeport["installed"][tool]
        is_there = (installed["current"], installed["origin"]) == (artifact["version"], artifact["origin"])
        if artifact["source"] == "wheel" and not is_there:
            locks.append(Path(artifact["lock"]).name)
    return locks
