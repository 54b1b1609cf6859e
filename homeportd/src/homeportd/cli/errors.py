"""Exit codes, and the errors with which a command ends: what happened, the next step, the code."""

from __future__ import annotations

from typing import Final

from homeportd.errors import HomeportError

REFUSED: Final = 1  # the agent refused or failed; for `doctor`: a check fails
USAGE: Final = 2
UNREACHABLE: Final = 3
NOT_FOUND: Final = 4
TOKEN: Final = 5  # unknown to the edge, or revoked
TAKEN: Final = 6  # another token has the name, or a newer client the tunnel
REQUEST: Final = 7  # a name, port or domain that is not valid
VERSION: Final = 8  # client and edge are of incompatible releases
CLOCK: Final = 9  # the edge's certificate is not valid at this machine's time
PORT: Final = 10  # another token or program has the port
NETWORK: Final = 11  # of an allowlist
DOMAIN: Final = 12  # its record does not lead to the edge, or it gets no certificate
INTERRUPTED: Final = 130  # Ctrl-C
CLOSED_PIPE: Final = 141  # the reader of standard output has gone: 128 + SIGPIPE, as a shell reports it

EXIT_CODES: Final = (
    (0, "done"),
    (REFUSED, "refused, or failed"),
    (USAGE, "wrong usage"),
    (UNREACHABLE, "the agent is not reachable"),
    (NOT_FOUND, "not found"),
    (INTERRUPTED, "interrupted"),
)
TUNNEL_EXIT_CODES: Final = (
    (0, "done"),
    (REFUSED, "refused, or failed"),
    (USAGE, "wrong usage"),
    (UNREACHABLE, "the edge, the daemon or the agent is not reachable"),
    (NOT_FOUND, "not found; for want of `homeport init`, too"),
    (TOKEN, "the edge refuses the token"),
    (TAKEN, "the name is taken, or a newer client has the tunnel"),
    (REQUEST, "a name, port or domain that is not valid"),
    (VERSION, "the edge speaks another version"),
    (CLOCK, "the edge's certificate and this machine's clock disagree"),
    (PORT, "the port is taken, or in use"),
    (NETWORK, "an allowed network that is not valid"),
    (DOMAIN, "the domain does not lead to the edge"),
    (INTERRUPTED, "interrupted"),
)


class ClosedPipe(Exception):
    """The reader of standard output has gone, as `head` does. Typer would handle BrokenPipeError by itself."""


class Failure(HomeportError):
    """A command that did not succeed, with its exit code.

    `status`: the HTTP status of a refusal, 0 where there was none.
    """

    def __init__(self, detail: str, fix: str, code: int = REFUSED, status: int = 0) -> None:
        super().__init__(detail, fix)
        self.code = code
        self.status = status
