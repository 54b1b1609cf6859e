"""One request to the API of a host. Blocking; for a thread."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any, Final
from urllib.parse import urlsplit

from homeportd import __version__, clock, json_text
from homeportd.errors import Problem
from homeportd.repos.hosts.model import Rate

TIMEOUT_S: Final = 10.0  # for each step of a request
WHOLE_S: Final = 30.0  # for an answer
MAX_ANSWER: Final = 8 * 1024 * 1024  # bytes


@dataclass(frozen=True)
class Answer:
    """A list of objects, and what the head said. `more`: there is a next page."""

    items: list[dict[str, Any]]
    rate: Rate
    more: bool


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token is not to follow to where an answer points."""

    def redirect_request(self, *_arguments: Any) -> None:
        """Every redirect is an error."""


_opener = urllib.request.build_opener(_NoRedirect)


def get(url: str, headers: Mapping[str, str], setting: str) -> Answer:
    """GET a list. Raises Problem: 429 with the limit used up, 409 for a token that is refused, 502 for the rest.

    `setting`: where the token is set.
    """
    host = urlsplit(url).netloc
    request = urllib.request.Request(url, headers={**headers, "User-Agent": f"Homeport/{__version__}"})  # noqa: S310 - http(s), checked in the settings
    try:
        with _opener.open(request, timeout=TIMEOUT_S) as response:
            body = _read(response, host)
            head = response.headers
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.headers, host, setting) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise Problem(
            502, f"{host} cannot be reached: {reason}", f"check the network; {_look(setting)}"
        ) from None
    try:
        items = json_text.loads(body)
    except ValueError:
        items = None
    if not isinstance(items, list):
        raise Problem(
            502,
            f"{host} did not answer with a list",
            _look(setting),
        )
    more = 'rel="next"' in (head.get("Link") or "") or bool((head.get("X-Next-Page") or "").strip())
    return Answer([item for item in items if isinstance(item, dict)], _rate(head), more)


def _look(setting: str) -> str:
    return f"look at {setting.partition('.')[0]}.url: homeport settings list"


def _read(response: Any, host: str) -> bytes:
    end, body = time.monotonic() + WHOLE_S, b""
    while data := response.read1(65536):
        body += data
        if len(body) > MAX_ANSWER or time.monotonic() > end:
            raise Problem(502, f"the answer of {host} is too long", "try again later")
    return body


def _rate(head: Message) -> Rate:
    remaining, limit, reset = (
        head.get(f"X-RateLimit-{name}") or head.get(f"RateLimit-{name}")
        for name in ("Remaining", "Limit", "Reset")
    )
    at = datetime.fromtimestamp(int(reset), UTC) if reset and reset.isdigit() and len(reset) < 12 else None
    return Rate(_number(remaining), _number(limit), at)


def _number(value: str | None) -> int | None:
    return int(value) if value and value.isdigit() and len(value) < 12 else None


def _refusal(status: int, head: Message, host: str, setting: str) -> Problem:
    rate = _rate(head)
    after = _number(head.get("Retry-After"))
    if status == 429 or (status == 403 and (rate.remaining == 0 or after is not None)):
        until = rate.reset_at if after is None else clock.now() + timedelta(seconds=min(after, 86400))
        when = f"until {clock.to_text(until)}" if until is not None else "for now"
        detail = f"{host} answers no more requests {when}: its rate limit is used up"
        return Problem(429, detail, "wait until then; or clone by the address")
    if status in (401, 403):
        fix = f"set one that may read repositories: homeport settings set {setting}"
        return Problem(409, f"{host} refuses the token ({status})", fix)
    return Problem(
        502,
        f"{host} answered with {status}",
        _look(setting),
    )
