"""Failures of commands about tunnels: errors of the tunnel client, each with its exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from homeportd.cli.errors import (
    CLOCK,
    NETWORK,
    NOT_FOUND,
    PORT,
    REFUSED,
    REQUEST,
    TAKEN,
    TOKEN,
    UNREACHABLE,
    VERSION,
    Failure,
)
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.status import ErrorStatus

_T = TypeVar("_T")
_CODES: Final = {
    Reason.UNREACHABLE: UNREACHABLE,
    Reason.TOKEN: TOKEN,
    Reason.TAKEN: TAKEN,
    Reason.PORT: PORT,
    Reason.NETWORK: NETWORK,
    Reason.REQUEST: REQUEST,
    Reason.VERSION: VERSION,
    Reason.CLOCK: CLOCK,
    Reason.SETUP: NOT_FOUND,
}


def failure(error: TunnelError) -> Failure:
    """The Failure with which a command ends after this error."""
    return Failure(error.detail, error.fix, _CODES.get(error.reason, REFUSED))


def failure_of(answer: ErrorStatus) -> Failure:
    """The Failure for an error that the daemon answered: its `reason`, `detail` and `fix`."""
    try:
        code = _CODES.get(Reason(answer.get("reason", "")), REFUSED)
    except ValueError:
        code = REFUSED
    return Failure(
        answer.get("detail", "the daemon failed"), answer.get("fix", "homeport daemon status"), code
    )


def attempt(work: Callable[[], _T]) -> _T:
    """The result of `work`, whose tunnel errors become failures. Raises Failure."""
    try:
        return work()
    except TunnelError as error:
        raise failure(error) from error
