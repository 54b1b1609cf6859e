#!/usr/bin/python
# SPDX-License-Identifier: MIT
# (see LICENSE; compatible with the GNU General Public License v3.0)
"""See that Caddy or Traefik answers with what it was started from, or go back to what it answered with before."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reverse_proxy
short_description: Keep a reverse proxy answering
description:
  - What a host answered with is kept, Caddy, Traefik and the agent's settings together, for they name one another. When
    Caddy or Traefik does not answer with what is new, all of it comes back; the module fails all the same, and says
    what happened.
options:
  action:
    description: C(keep) what is in place; C(check) that C(name) answers, or else go back; go C(back) for C(reason).
    type: str
    choices: [keep, check, back]
    required: true
  folder:
    description: Where it is kept.
    type: path
    required: true
  services:
    description:
      - By service its C(files), settings and unit, of which those that are not there are left out, and the
        C(addresses) where it shall answer, as C(http://127.0.0.1:8080) or C(https://[::1]:443), and its C(log), where
        it writes one itself.
    type: dict
    required: true
  agent_settings:
    description: The agent's settings, which come back only if the release in use takes them.
    type: path
    required: true
  agent:
    description: The program of the release in use.
    type: path
    required: true
  name:
    description: The service that is checked, or that made it go back.
    type: str
    default: ""
  fingerprint:
    description: The C(HOMEPORT_FINGERPRINT) of the process that is waited for; an older one is no answer.
    type: str
    default: ""
  settings:
    description: The variables that the service depends on, for the words of a failure.
    type: str
    default: ""
  reason:
    description: Why it goes back.
    type: str
    default: ""
extends_documentation_fragment:
  - homeport.agent.service
author: Homeport (@homeport)
"""

EXAMPLES = r"""
- name: See that Caddy answers
  homeport.agent.reverse_proxy:
    action: check
    name: homeport-caddy
    folder: /etc/homeport/last-known-good
    services:
      homeport-caddy:
        files: [/etc/homeport/Caddyfile, /etc/systemd/system/homeport-caddy.service]
        addresses: ["http://127.0.0.1:8080"]
    agent_settings: /etc/homeport/agent.toml
    agent: /opt/homeport/current/bin/homeportd
"""

RETURN = r"""
back:
  description: Whether what was kept is in its place again.
  returned: failure
  type: bool
"""

import filecmp
import json
import os
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homeport.agent.plugins.module_utils.processes import (
    OPTIONS,
    RUNNING,
    Manager,
    described,
    end_of_file,
    run,
    wait,
)

ANSWER_S = 2.0  # for one address
OWN_LINES = 5
STATE = "state.json"  # beside the kept files: where they belong, and where each service answered
AGENT = "homeportd"
# What listens at all addresses is asked at one of them.
ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - compared, not bound


def near(address: str) -> str:
    """The address at which this machine asks."""
    scheme, _unused, authority = address.partition("://")
    host, _unused, port = authority.rpartition(":")
    return f"{scheme}://{ANYWHERE.get(host, host)}:{port}"


def answers(address: str) -> bool:
    """Whether a web server speaks at an address; whatever it says."""
    scheme, _unused, authority = address.partition("://")
    host, _unused, port = authority.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), ANSWER_S) as plain:
            plain.settimeout(ANSWER_S)
            if scheme == "https":
                # Certificates come later: here it is only asked whether it speaks TLS.
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                with context.wrap_socket(plain, server_hostname="localhost"):
                    return True
            plain.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return plain.recv(5) == b"HTTP/"
    except (OSError, ValueError):
        return False


def asked_at(addresses: list[str]) -> Callable[[], str] | None:
    """The question whether a service answers at all of its addresses; None where it has none."""
    if not addresses:
        return None

    def ask() -> str:
        silent = [address for address in addresses if not answers(address)]
        return f"it does not answer at {' and '.join(silent)}" if silent else ""

    return ask


def own_log(log: str) -> str:
    """The last lines of a log that a service writes itself."""
    lines = end_of_file(Path(log))[-OWN_LINES:] if log else []
    return "\n".join([f"\nand {log} with", *(f"  {line}" for line in lines)]) if lines else ""


def keep(folder: Path, services: dict[str, Any], agent_settings: Path) -> None:
    """Keep what is in place, whole or not at all, instead of what was kept before."""
    fresh, old = (folder.with_name(f".{folder.name}.{word}") for word in ("new", "old"))
    for path in (fresh, old):
        shutil.rmtree(path, ignore_errors=True)
    fresh.mkdir(mode=0o755)
    given = [agent_settings, *(Path(file) for service in services.values() for file in service["files"])]
    there = [file for file in given if file.is_file()]
    for file in there:
        copy(file, fresh / file.name)
    state = {
        "files": {file.name: str(file) for file in there},
        "addresses": {name: service["addresses"] for name, service in services.items()},
    }
    (fresh / STATE).write_text(json.dumps(state), encoding="utf-8")
    if folder.is_dir():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """A copy with the same owner and mode, in its place at one instant."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    owner = source.stat()
    os.chown(fresh, owner.st_uid, owner.st_gid)
    fresh.replace(target)


def put_back(folder: Path, files: list[Path]) -> bool:
    """Let the files be what was kept; whether any of them was not."""
    differed = False
    for file in files:
        source = folder / file.name
        if source.is_file() and not (file.is_file() and filecmp.cmp(source, file, shallow=False)):
            copy(source, file)
            differed = True
        elif not source.is_file() and file.is_file():
            file.unlink()
            differed = True
    return differed


def go_back(given: dict[str, Any], manager: Manager) -> tuple[bool, str]:
    """Whether what was kept is back, and what to say of it."""
    folder, agent_settings = Path(given["folder"]), Path(given["agent_settings"])
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        addresses = {
            name: list(state["addresses"][name]) for name in given["services"] if name in state["addresses"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        addresses = {}
    if given["name"] not in addresses:
        return False, "There are no older settings to go back to."
    changed = [
        name
        for name in addresses
        if put_back(folder, [Path(file) for file in given["services"][name]["files"]])
        or manager.state(name).kind != RUNNING
    ]
    kept = folder / agent_settings.name
    # A newer release may want settings that the older one did not have.
    if kept.is_file() and run([given["agent"], "check", "--config", str(kept)]).returncode == 0:
        changed += [AGENT] * put_back(folder, [agent_settings])
    manager.start(changed)
    if AGENT in changed and given["supervisorctl"]:
        run([*given["supervisorctl"], "restart", AGENT])
    if AGENT in changed:
        addresses[AGENT] = []  # it is waited for, too
    problems = [
        f"{name} does not answer with them either: {problem}"
        for name, asked in addresses.items()
        if (problem := wait(manager, name, "", asked_at(asked), given["seconds"]))
    ]
    if problems:
        return True, f"The old settings are back. {'; '.join(problems)}"
    where = " and ".join(addresses[given["name"]])
    return True, f"The old settings are back, and it answers with them at {where}."


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "action": {"type": "str", "required": True, "choices": ["keep", "check", "back"]},
            "folder": {"type": "path", "required": True},
            "services": {"type": "dict", "required": True},
            "agent_settings": {"type": "path", "required": True},
            "agent": {"type": "path", "required": True},
            "name": {"type": "str", "default": ""},
            "fingerprint": {"type": "str", "default": ""},
            "settings": {"type": "str", "default": ""},
            "reason": {"type": "str", "default": ""},
            **OPTIONS,
        },
        supports_check_mode=True,
    )
    given = module.params
    name, services = given["name"], given["services"]
    for service in services.values():
        service["addresses"] = [near(address) for address in service["addresses"]]
    manager = Manager(given["supervisorctl"], given["logs"])
    if module.check_mode:
        module.exit_json(changed=False)
    if given["action"] == "keep":
        keep(Path(given["folder"]), services, Path(given["agent_settings"]))
        module.exit_json(changed=False)
    problem = f"{name} does not run with its new settings: {given['reason'].removeprefix('error: ')}"
    if given["action"] == "check":
        problem = wait(
            manager,
            name,
            given["fingerprint"],
            asked_at(services[name]["addresses"]),
            given["seconds"],
        )
        if not problem:
            module.exit_json(changed=False)
        problem = described(manager, name, problem)
    # Before another process writes to the log.
    problem += own_log(services[name].get("log", ""))
    back, words = go_back(given, manager)
    settings = f"correct {given['settings']}" if given["settings"] else "correct what the log names"
    module.fail_json(
        msg=f"error: {problem}\n{words}\n"
        f"fix: {settings}, then run bin/site again; read more with {manager.log_command(name)}",
        back=back,
    )


if __name__ == "__main__":
    main()
