"""What bin/site installed of the editor."""

from __future__ import annotations

from homeportd.setting_types import AbsolutePath, RoomSettings


class EditorSettings(RoomSettings):
    """The `[editor]` table. `data` has settings and state of the editor, `extensions` its extensions: both are kept
    across upgrades of `node` and `program`."""

    node: AbsolutePath
    program: AbsolutePath  # code-server's entry.js
    data: AbsolutePath
    extensions: AbsolutePath
    wanted_extensions: tuple[str, ...] = ()  # their ids, such as anthropic.claude-code
    path: AbsolutePath  # the folder of the command `homeport`, for terminals
