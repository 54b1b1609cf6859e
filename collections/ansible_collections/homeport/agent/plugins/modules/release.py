#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""Run another release of the agent that is installed, with the settings and the database that it had."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Keep what a release of the agent runs with, and go back to it
description:
  - C(keep) copies the files of the release in use into its folder, before another one writes them anew.
  - C(database) lets the database be one that the release C(to) opens, and stops the agent for it where it has to.
  - C(switch) does that, puts the kept files and the link back, starts the agent and waits until it answers.
    It does not fail when the agent does not answer, but says so in C(answers) and C(problem).
options:
  action:
    description: What to do.
    type: str
    choices: [keep, database, switch]
    required: true
  to:
    description: The release.
    type: str
    required: true
  software:
    description: The folder of C(releases) and C(current).
    type: str
    required: true
  installed:
    description: The finished releases, the newest first.
    type: list
    elements: str
    required: true
  user:
    description: The agent's user; empty where there is no root.
    type: str
    default: ""
  data:
    description: The agent's data.
    type: str
    required: true
  source:
    description: The database to put in place, instead of the newest copy that fits.
    type: str
    default: ""
  services:
    description: The services that a release of the agent may have, itself first.
    type: list
    elements: str
    required: true
  files:
    description: The files that a release runs with.
    type: list
    elements: str
    required: true
  answer:
    description: A command that succeeds when the agent answers.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - homeport.agent.service
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: Go back to the release before
  homeport.agent.release:
    action: switch
    to: 0.1.0+0123456789ab
    software: /opt/homeport
    installed: [0.1.0+0123456789ab]
    user: dev
    data: /srv/homeport/data
    services: [homeportd]
    files: [/etc/homeport/agent.toml, /etc/systemd/system/homeportd.service]
"""

RETURN = r"""
answers:
  description: Whether the release answers now (C(switch)).
  returned: success
  type: bool
problem:
  description: Why it does not, with the end of its log.
  returned: success
  type: str
database:
  description: What was done to the database, in sentences; empty where nothing was.
  returned: success
  type: str
database_problem:
  description: Why the database could not be brought to the release.
  returned: success
  type: str
kept_database:
  description: Where the database that was replaced is now.
  returned: success
  type: str
"""

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils.processes import (
    OPTIONS,
    SETTLED_S,
    Manager,
    asked_by,
    described,
    wait,
)
from ansible_collections.homeport.agent.plugins.module_utils.release_facts import KEPT
from ansible_collections.homeport.agent.plugins.module_utils.releases import (
    ReleaseError,
    Releases,
    bring_database,
    keep,
    left_over,
    present,
    put_back,
)


def switch(given: dict[str, Any], releases: Releases, manager: Manager) -> dict[str, Any]:
    """Each step is tried whatever became of the one before: a release with old settings is better than none."""
    to, services = given["to"], given["services"]
    files, kept = [Path(file) for file in given["files"]], releases.folder(to) / KEPT
    result = {"database": "", "database_problem": "", "kept_database": ""}
    problems = [problem for name in present(files, services) if (problem := manager.stop(name))]
    try:
        done = bring_database(releases, manager, to, services[0], given["source"], dry=False)
        result["database"], result["kept_database"] = done.get("text", ""), done.get("kept") or ""
    except ReleaseError as error:
        result["database_problem"] = str(error)
    if kept.is_dir():
        manager.forget([name for name in services if name in left_over(kept, files)])
        put_back(kept, files)
    releases.switch(to)
    manager.start(present(files, services))
    ask = asked_by(given["answer"])
    problem = wait(manager, services[0], "", ask, given["seconds"], settled=SETTLED_S)
    if not problem:
        shutil.rmtree(kept, ignore_errors=True)
    return {
        **result,
        "changed": True,
        "answers": not problem,
        "problem": "\n".join([*problems, described(manager, services[0], problem)]) if problem else "",
    }


def main() -> None:
    texts = {"type": "list", "elements": "str"}
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "required": True, "choices": ["keep", "database", "switch"]},
            **{name: {"type": "str", "required": True} for name in ("to", "software", "data")},
            **{name: {"type": "str", "default": ""} for name in ("user", "source")},
            **{name: {**texts, "required": True} for name in ("installed", "services", "files")},
            "answer": {**texts, "default": []},
            **OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    releases = Releases(Path(given["software"]), given["installed"], given["user"], given["data"])
    manager = Manager(given["supervisorctl"], given["logs"])
    if given["action"] == "keep":
        kept = releases.folder(given["to"]) / KEPT
        files = [Path(file) for file in given["files"]]
        module.exit_json(changed=not kept.is_dir() if module.check_mode else keep(kept, files))
    if given["action"] == "switch" and not module.check_mode:
        module.exit_json(**switch(given, releases, manager))
    try:
        done = bring_database(
            releases, manager, given["to"], given["services"][0], given["source"], dry=module.check_mode
        )
    except ReleaseError as error:
        module.fail_json(msg=str(error), problem=str(error).removeprefix("error: "))
    module.exit_json(
        changed=bool(done["needed"]) or given["action"] == "switch",
        answers=True,
        problem="",
        database=done.get("text", ""),
        database_problem="",
        kept_database=done.get("kept") or "",
    )


if __name__ == "__main__":
    main()
