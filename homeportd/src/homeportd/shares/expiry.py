"""Expiry as a person writes it: `24h`, `7d`, a date, `never`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from homeportd.errors import Problem, invalid

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FIX = "write 30m, 24h, 7d or 2w, a date such as 2027-01-31, a moment such as 2027-01-31T18:00Z, or never"


def parse(text: str | None, now: datetime) -> datetime | None:
    """The moment a share ends, None for never. A bare date ends with that day, UTC.

    Raises Problem 422 for anything else, and 409 for the past.
    """
    if text is None or text == "never":
        return None
    moment = _moment(text, now)
    if moment <= now:
        raise Problem(409, f"the expiry {text!r} lies in the past", _FIX)
    return moment


def _moment(text: str, now: datetime) -> datetime:
    span = re.fullmatch(r"([1-9][0-9]{0,3}) ?([mhdw])", text.lower(), re.ASCII)
    try:
        if span:
            return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
        moment = datetime.fromisoformat(text)
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            moment += timedelta(days=1)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"the expiry {text!r} is not understood", _FIX) from None
