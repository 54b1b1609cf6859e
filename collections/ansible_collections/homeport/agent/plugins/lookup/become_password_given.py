# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Tell whether this run was given a password for sudo (--ask-become-pass, --become-password-file)."""

from __future__ import annotations

DOCUMENTATION = r"""
name: become_password_given
author: Homeport (@homeport)
short_description: Whether ansible-playbook was given a password for sudo
description:
  - Without one, where sudo asks for one, Homeport installs for the user alone instead of hanging.
options: {}
"""

from typing import Any

from ansible import context
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """One boolean; the password itself stays where it is."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[bool]:
        given = context.CLIARGS.get("become_ask_pass") or context.CLIARGS.get("become_password_file")
        names = ("ansible_become_password", "ansible_become_pass")
        return [bool(given or any((variables or {}).get(name) for name in names))]
