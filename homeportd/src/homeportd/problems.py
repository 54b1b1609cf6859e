"""The one error that crosses from a service to a person: what happened, and what to do about it."""

from __future__ import annotations


class Problem(Exception):
    """A refusal with its remedy; the API answers it as RFC 9457 problem details.

    `status` is an HTTP status, `detail` says what happened, `fix` the next step.
    """

    def __init__(self, status: int, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.fix = fix


def not_found(what: str, fix: str) -> Problem:
    """A 404 for `what`, as the subject of a sentence."""
    return Problem(404, f"{what} does not exist", fix)


def invalid(detail: str, fix: str) -> Problem:
    """A 422: the request was understood and is wrong."""
    return Problem(422, detail, fix)
