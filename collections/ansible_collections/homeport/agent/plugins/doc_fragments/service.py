"""Documentation of the options that every module with a service has (module_utils/processes.py, OPTIONS)."""

from __future__ import annotations


class ModuleDocFragment:
    """homeport.agent.service."""

    DOCUMENTATION = r"""
options:
  supervisorctl:
    description: supervisorctl and its options, where it is not systemd that runs the services.
    type: list
    elements: str
    default: []
  logs:
    description: The folder of supervisord's logs.
    type: str
    default: ""
  seconds:
    description: How long an answer may take.
    type: int
    default: 45
"""
