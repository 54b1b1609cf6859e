"""The account that the agent serves: why that one, and how another is chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from homeportd.system.settings import SystemSettings, UserReason

# roles/preflight decides the reason and has the same words for the end of bin/site; a test compares the two.
REASONS: Final[dict[UserReason, str]] = {
    "setting": "homeport_user named this account",
    "sudo": "this account installed Homeport with sudo",
    "root": "root installed Homeport, and the agent itself never runs as root",
    "edge": "the agent of an edge alone has an account of its own",
    "data": "the data that was here already belongs to this account",
    "rootless": "Homeport was installed without root, for this account alone",
}
CHANGE: Final = "bin/site -e homeport_user=NAME"


@dataclass(frozen=True)
class UserChoice:
    """The reason as a word and as a sentence, and the command that changes it: None without root."""

    reason: UserReason
    sentence: str
    change: str | None


def user_choice(settings: SystemSettings) -> UserChoice | None:
    """Why the agent has its user; None where its settings do not say, as with those written by hand."""
    reason = settings.user_reason
    if reason is None:
        return None
    return UserChoice(reason, REASONS[reason], None if reason == "rootless" else CHANGE)
