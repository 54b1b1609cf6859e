#!/usr/bin/python
"""Wait until a service runs, or say why it does not, with the end of its log."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils.processes import Manager, told, wait

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
  supervisorctl:
    description: supervisorctl and its options, where it is not systemd that runs the service.
    type: list
    elements: str
    default: []
  logs:
    description: The folder of supervisord's logs.
    type: str
    default: ""
  fingerprint:
    description: The C(HOMEPORT_FINGERPRINT) of the process that is waited for; an older process does not count.
    type: str
    default: ""
  answer:
    description: A command that succeeds when the service answers. It shall, twice, of the same process.
    type: list
    elements: str
    default: []
  seconds:
    description: How long at most.
    type: int
    default: 45
author: Homeport
"""

EXAMPLES = r"""
- name: Wait until the agent answers
  homeport.agent.service_wait:
    name: homeportd
    answer: [/opt/homeport/current/bin/homeport, status]
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "supervisorctl": {"type": "list", "elements": "str", "default": []},
            "logs": {"type": "str", "default": ""},
            "fingerprint": {"type": "str", "default": ""},
            "answer": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "int", "default": 45},
        },
        supports_check_mode=True,
    )
    given = module.params
    name = given["name"]
    if module.check_mode:
        module.exit_json(changed=False)
    manager = Manager(given["supervisorctl"], given["logs"])
    problem = wait(manager, name, given["fingerprint"], given["answer"], given["seconds"])
    if problem:
        message = f"error: {told(manager, name, problem)}\nfix: read more with {manager.log_command(name)}"
        module.fail_json(msg=message, problem=problem)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
