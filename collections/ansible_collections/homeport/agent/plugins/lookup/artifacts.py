# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""The table of artifacts as the inventory chose it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: artifacts
author: Homeport (@homeport)
short_description: Version and source of each third-party program
description:
  - Chooses a source for each program of a table, and checks what the inventory says of upstream releases. A row that
    cannot be used, such as a release without a checksum, has C(error) and C(fix).
options:
  _terms:
    description: >-
      The tables C(artifact_table), C(artifact_sources) and C(artifact_urls), the folder that locks are in, and what
      C(uname -m) says on the host.
    required: true
"""

EXAMPLES = r"""
- name: Say which Caddy will be installed
  ansible.builtin.debug:
    msg: >-
      {{ lookup('homeport.agent.artifacts', artifact_table, artifact_sources, artifact_urls,
      'requirements', 'x86_64').caddy }}
"""

RETURN = r"""
_raw:
  description: A row by program, with C(source), C(version), C(origin), and what that source needs.
  type: dict
"""

from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.homeport.agent.plugins.plugin_utils.artifacts import choose


class LookupModule(LookupBase):
    """One dictionary: program -> row."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        table, sources, urls, requirements, machine = terms
        return [choose(table, sources, urls, Path(requirements).resolve(), machine)]
