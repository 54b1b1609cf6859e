"""Errors between a client and its tunnels: what happened, the next step, and whether trying again can help."""

from __future__ import annotations

import os
import ssl
from enum import StrEnum

from homeportd.errors import HomeportError
from homeportd.tunnels.status import ErrorStatus


class Reason(StrEnum):
    """The cause of an error; the command line has an exit code for each."""

    UNREACHABLE = "unreachable"
    TOKEN = "token"  # noqa: S105
    TAKEN = "taken"  # the name by another token, or the tunnel by a newer client
    PORT = "port"  # taken, or in use
    NETWORK = "network"  # of an allowlist, not valid
    REQUEST = "request"  # a range, a name or a domain that is not valid
    VERSION = "version"
    CLOCK = "clock"
    LIMIT = "limit"
    ENDED = "ended"  # the edge's owner ended the tunnel
    SETUP = "setup"  # no edge in the settings, or settings that cannot be used
    DAEMON = "daemon"  # the daemon cannot do what was asked


class TunnelError(HomeportError):
    """What stands between a client and its tunnels. `lasting`: trying again alone does not help."""

    def __init__(self, reason: Reason, detail: str, fix: str, *, lasting: bool = False) -> None:
        super().__init__(detail, fix)
        self.reason = reason
        self.lasting = lasting

    def as_dict(self) -> ErrorStatus:
        """The error for the control socket and `--json`."""
        return {"reason": self.reason.value, "detail": self.detail, "fix": self.fix}


def reason_of(error: BaseException) -> str:
    """Why a connection failed, in words: those of its errno, where it has one."""
    if isinstance(error, TimeoutError) and not str(error):
        return "time-out"
    if isinstance(error, OSError) and error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)  # asyncio puts a text of its own into `strerror`
    return str(error) or type(error).__name__
