"""Errors that a person may see: what happened, and what to do about it."""

from __future__ import annotations


class HomeportError(Exception):
    """Base of every error that a person may see.

    `detail` says what happened, `fix` the next step: a command, or a setting and its file. Both are lower-case
    phrases without a full stop. The command line prints `error: …`, `fix: …`; the API answers a Problem body.
    """

    def __init__(self, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix


class Problem(HomeportError):
    """A refusal of a request, answered as problem details (RFC 9457) with the HTTP status `status`."""

    def __init__(self, status: int, detail: str, fix: str) -> None:
        super().__init__(detail, fix)
        self.status = status


def not_found(what: str, fix: str) -> Problem:
    """A Problem 404; `what` is the subject of its sentence."""
    return Problem(404, f"{what} does not exist", fix)


def invalid(detail: str, fix: str) -> Problem:
    """A Problem 422: the request was understood and is wrong."""
    return Problem(422, detail, fix)
