#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Documentation of the action plugin of this name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_index
short_description: Ask from a host whether what it has to download is within its reach
description:
  - Brings the pip that will install to a temporary folder of the host, and lets that pip look for the files of locks,
    with the indexes, certificates and proxies of the host.
  - Changes nothing.
options:
  python:
    description: The Python on the host that asks.
    type: str
    required: true
  builder:
    description: The program of this repository that makes the installer, bin/build-wheel.
    type: path
    required: true
  locks:
    description: Lock files on the controller, with hashes.
    type: list
    elements: path
    required: true
  debian:
    description: Whether apt is asked as well.
    type: bool
    default: false
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Ask whether the packages of the agent can be had
  homeport.agent.package_index:
    python: /usr/bin/python3
    builder: bin/build-wheel
    locks: [requirements/agent.txt]
"""

RETURN = r"""
problems:
  description: One for each cause, with its error and its fix.
  returned: always
  type: list
  elements: dict
"""
