"""supervisord, which runs the processes where systemd does not."""

from __future__ import annotations

from ansible_collections.homeport.agent.plugins.module_utils.components import (
    Component,
    Folder,
    Host,
    Json,
)


class Supervisor(Component):
    name = "supervisor"
    tool = "supervisor"

    def layout(self, host: Host, layout: Json) -> Json:
        if layout["manager"] != "supervisor":
            return {}
        return {"programs": f"{layout['settings']}/programs"}

    def folders(self, layout: Json) -> list[Folder]:
        user, group = layout["root_user"], layout["root_group"]
        return [
            Folder(layout["supervisor"]["programs"], user, group, "0755"),
            Folder(layout["logs"], user, group, "0755"),
        ]


COMPONENT = Supervisor()
