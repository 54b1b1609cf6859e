"""Answers of the gateway: headers for Caddy, pages for people, problem details for programs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus

Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    """An HTTP answer: status, headers, body."""

    status: int
    headers: Headers = field(default_factory=list)
    body: bytes = b""

    def add(self, name: str, value: str) -> Answer:
        """Add a header; the answer itself, for chaining."""
        self.headers.append((name.encode(), value.encode("latin-1", "replace")))
        return self


def problem(status: int, detail: str, fix: str) -> Answer:
    """RFC 9457 problem details, as the API gives them."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, "fix": fix}
    answer = Answer(status, body=json.dumps(content).encode() + b"\n")
    answer.add("content-type", "application/problem+json").add("cache-control", "no-store")
    return answer.add("x-content-type-options", "nosniff")


def redirect(status: int, location: str) -> Answer:
    """302 or 303 to an address that the caller has checked."""
    return (
        Answer(status)
        .add("location", location)
        .add("cache-control", "no-store")
        .add("referrer-policy", "no-referrer")
    )
