"""What can stand between a client and its tunnels: a sentence, a remedy, and whether trying again can help."""

from __future__ import annotations

from enum import StrEnum

from homeportd.errors import HomeportError


class Reason(StrEnum):
    """The sort of a problem; the command line has an exit code for each."""

    UNREACHABLE = "unreachable"
    TOKEN = "token"  # noqa: S105
    TAKEN = "taken"  # the name, or the place by a newer client
    PORT = "port"  # is taken, or in use
    NETWORK = "network"  # of an allowlist, that cannot be
    REQUEST = "request"  # a range, a name or a domain that cannot be
    VERSION = "version"
    CLOCK = "clock"
    LIMIT = "limit"
    ENDED = "ended"  # the edge's owner ended the tunnel
    SETUP = "setup"  # there is no edge in the settings, or they cannot be used
    DAEMON = "daemon"  # the daemon cannot do what was asked


class Problem(HomeportError):
    """What stands between a client and its tunnels. `lasting`: trying again alone does not help."""

    def __init__(self, reason: Reason, detail: str, fix: str, *, lasting: bool = False) -> None:
        super().__init__(detail, fix)
        self.reason = reason
        self.lasting = lasting

    def as_dict(self) -> dict[str, str]:
        """For the control socket and `--json`."""
        return {"reason": self.reason.value, "detail": self.detail, "fix": self.fix}
