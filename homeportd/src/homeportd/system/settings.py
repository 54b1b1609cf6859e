"""The account that the agent serves."""

from __future__ import annotations

from typing import Literal

from homeportd.setting_types import RoomSettings

# Why the agent serves its user: served_user.py has the sentences.
UserReason = Literal["setting", "sudo", "root", "edge", "data", "rootless"]


class SystemSettings(RoomSettings):
    """The user for whom bin/site set the agent up, and why that one."""

    user: str | None = None
    user_reason: UserReason | None = None
