"""code-server, the editor of a workstation; the agent runs it."""

from __future__ import annotations

import re

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    Json,
    Problem,
    Removal,
)

LEAST_MEMORY = 2_000_000  # kB; machines that are sold with 2 GB have a little less than 2 GiB
EXTENSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*\.[A-Za-z0-9][A-Za-z0-9._-]*(@[0-9A-Za-z.-]+)?")
AUTO, ON, OFF = ("auto",), ("true", "yes", "on", "1"), ("false", "no", "off", "0")
MACHINES = ("x86_64", "aarch64")  # that bin/build-editor-modules builds for


class CodeServer(Component):
    name = "code_server"
    groups = ("workstation",)
    roles = ("code_server",)
    tool = "code-server"

    def layout(self, host: Host, layout: Json) -> Json:
        asked = str(host.settings["code_server_enabled"]).lower()  # a bare false is YAML's
        memory, machine = host.observed["memory"], host.observed["machine"]
        enough = memory >= LEAST_MEMORY and machine in MACHINES
        if asked in OFF or (asked in AUTO and not enough):
            return {}
        data = _data(layout)
        return {
            "data": f"{data}/data",
            "extensions": f"{data}/extensions",
            "wanted": host.settings["code_server_extensions"],
            "node": f"{layout['software']}/tools/node/current/bin/node",
            "program": f"{layout['software']}/tools/code-server/current/node_modules/code-server/out/node/entry.js",
        }

    def folders(self, layout: Json) -> list[Folder]:
        editor, agent = layout["code_server"], layout["agent"]
        rows = (_data(layout), editor["data"], editor["extensions"])
        return [Folder(path, agent["user"], agent["user_group"], "0700") for path in rows]

    def removal(self, layout: Json) -> Removal:
        return Removal(data=(_data(layout),))

    def problems(self, host: Host, layout: Json) -> list[Problem]:
        wanted, machine = host.settings["code_server_extensions"], host.observed["machine"]
        found = [
            (
                f"code_server_extensions has {text!r}",
                "an extension is publisher.name, or publisher.name@1.2.3",
            )
            for text in wanted
            if not EXTENSION.fullmatch(str(text))
        ]
        if str(asked := host.settings["code_server_enabled"]).lower() not in (*AUTO, *ON, *OFF):
            found.append((f"code_server_enabled is {asked!r}", "write it as auto, true or false"))
        if layout["code_server"] and machine not in MACHINES:
            found.append(
                (
                    f"the editor cannot be built for {machine}",
                    "set code_server_enabled: false in the inventory",
                )
            )
        return found


def _data(layout: Json) -> str:
    return f"{layout['state']}/editor"


COMPONENT = CodeServer()
