# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Give the command that started this run, with what chose its hosts, for messages that say how to start it again."""

from __future__ import annotations

DOCUMENTATION = r"""
name: command_typed
author: Homeport (@homeport)
short_description: The command that started this run, without what is not about its hosts
description:
  - C(bin/site -i inventory/mine), or C(ansible-playbook site.yml -i inventory/mine).
  - Extra variables and all other options are left out, for they may hold secrets.
options: {}
"""

import os
import shlex
import sys
from typing import Any

from ansible.plugins.lookup import LookupBase

CHOOSING = ("-i", "--inventory", "--inventory-file", "-l", "--limit")


def typed(arguments: list[str], by_site: bool) -> str:
    """`arguments` are those of ansible-playbook; `by_site`: bin/site started it."""
    kept = ["bin/site"] if by_site else ["ansible-playbook"]
    rest = iter(arguments)
    for argument in rest:
        if argument in CHOOSING:
            kept += [argument, next(rest, "")]
        elif argument.startswith(tuple(f"{name}=" for name in CHOOSING if name.startswith("--"))):
            kept.append(argument)
        elif argument.endswith((".yml", ".yaml")) and not argument.startswith(("-", "@")) and not by_site:
            kept.append(os.path.relpath(argument))
    return shlex.join(kept)


class LookupModule(LookupBase):
    """One text."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        return [typed(sys.argv[1:], "HOMEPORT_SITE_PATH" in os.environ)]
