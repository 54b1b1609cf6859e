"""Where repos are."""

from __future__ import annotations

from homeportd.setting_types import AbsolutePath, RoomSettings


class ReposSettings(RoomSettings):
    """The folder that holds the repos."""

    repo_root: AbsolutePath
