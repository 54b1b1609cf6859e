#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Wait until a service runs, or say why it does not, with the end of its log."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_wait
short_description: Wait until a service under systemd or supervisord runs
description:
  - Fails with the reason and the last lines of the log when the service fails, ends again and again, or is not ready
    in time.
options:
  name:
    description: The service.
    type: str
    required: true
  fingerprint:
    description: The C(HOMEPORT_FINGERPRINT) of the process that is waited for; an older process does not count.
    type: str
    default: ""
  answer:
    description: A command that succeeds when the service answers. It shall, twice, of the same process.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - homeport.agent.service
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Wait until the agent answers
  homeport.agent.service_wait:
    name: homeportd
    answer: [/opt/homeport/current/bin/homeport, status]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils.processes import (
    OPTIONS,
    SETTLED_S,
    Manager,
    asked_by,
    described,
    wait,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "fingerprint": {"type": "str", "default": ""},
            "answer": {"type": "list", "elements": "str", "default": []},
            **OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    name = given["name"]
    if module.check_mode:
        module.exit_json(changed=False)
    manager = Manager(given["supervisorctl"], given["logs"])
    ask = asked_by(given["answer"])
    problem = wait(manager, name, given["fingerprint"], ask, given["seconds"], settled=SETTLED_S)
    if problem:
        message = (
            f"error: {described(manager, name, problem)}\nfix: read more with {manager.log_command(name)}"
        )
        module.fail_json(msg=message, problem=problem)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
