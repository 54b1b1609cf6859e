#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Documentation of the action plugin of this name, which does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: template
short_description: Write a file that was rendered and checked
description:
  - Renders a template, lets a command check the file, and puts it in its place if the command succeeds.
  - In check mode it shows the same difference as a run would make, on a host too where the folder is not there yet,
    and runs the check where its programs are there. It says when it could not.
options:
  src:
    description: A template of the role.
    type: str
  content:
    description: The text of the file, instead of a template.
    type: str
  dest:
    description: The file on the host.
    type: path
    required: true
  mode:
    description: Its permissions.
    type: raw
    required: true
  owner:
    description: Its owner.
    type: str
  group:
    description: Its group.
    type: str
  validate:
    description: The command that checks it, a list in which the argument C(%s) is the file. No shell is involved.
    type: list
    elements: str
    default: []
  needs:
    description: Paths without which the check means nothing, beside those in the command itself.
    type: list
    elements: path
    default: []
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Write the Caddyfile
  homeport.agent.template:
    src: Caddyfile.j2
    dest: /etc/homeport/Caddyfile
    mode: "0644"
    validate: [/opt/homeport/tools/caddy/current/bin/caddy, validate, --adapter, caddyfile, --config, "%s"]
"""

RETURN = r"""
msg:
  description: Why the check did not run in a preview, or why it refused the file.
  returned: in check mode, or failure
  type: str
"""
