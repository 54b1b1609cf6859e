#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Documentation of the action plugin of this name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: panel
short_description: Ask the agent for a login link, for the panel at the end of a run
description:
  - The link opens the dashboard to whoever has it, so Ansible never shows the result, at no verbosity.
    The callback P(homeport.agent.steps#callback) shows the link on a terminal, and a log gets none.
options:
  dashboard:
    description: The address of the dashboard.
    type: str
    required: true
  command:
    description: The path of C(homeport) on the host.
    type: str
    required: true
  workstation:
    description: Whether the host is a workstation.
    type: bool
    default: true
  edge:
    description: The pattern of the names of an edge; empty where the host is none.
    type: str
    default: ""
  database:
    description: What the run did to the database, in sentences.
    type: str
    default: ""
  user:
    description: The user whom the agent serves.
    type: str
    required: true
  user_sentence:
    description: The reason, in a sentence.
    type: str
    required: true
  rootful:
    description: Whether a setting can change the user.
    type: bool
    default: true
  start:
    description: The command that starts Homeport where nothing does so at boot.
    type: str
    default: ""
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Show where Homeport is
  homeport.agent.panel:
    dashboard: http://localhost:8080
    command: /opt/homeport/bin/homeport
    user: alice
    user_sentence: alice has called sudo.
"""

RETURN = r"""
panel:
  description: The arguments, the lines that put C(homeport) into the PATH of a shell, and the link.
  returned: always
  type: dict
"""
