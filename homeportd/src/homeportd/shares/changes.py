"""Changes of a share, compared: whether one takes anything from anybody. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from homeportd.networks import Network
from homeportd.shares.model import Mode, Share

_WIDTH: Final = {Mode.PRIVATE: 0, Mode.PASSWORD: 1, Mode.PUBLIC: 2}


def narrows(before: Share | None, after: Share, now: datetime) -> bool:
    """Whether somebody whom `before` lets in, or may let in, is not let in by `after`, or not for as long."""
    if before is None or before.mode is Mode.PRIVATE or before.expired(now):
        return False
    return (
        _WIDTH[after.mode] < _WIDTH[before.mode]
        or _ends_earlier(before.expires_at, after.expires_at)
        or not _covers(after.allow, before.allow)
        or (before.subdomains and not after.subdomains)
        or (
            after.mode is Mode.PASSWORD
            and (after.password_hash != before.password_hash or _fewer(before.max_uses, after.max_uses))
        )
    )


def _ends_earlier(before: datetime | None, after: datetime | None) -> bool:
    return after is not None and (before is None or after < before)


def _fewer(before: int | None, after: int | None) -> bool:
    return after is not None and (before is None or after < before)


def _covers(after: tuple[Network, ...], before: tuple[Network, ...]) -> bool:
    """Whether each network of `before` lies in one of `after`; empty means all addresses."""
    if not after:
        return True
    return bool(before) and all(any(_within(one, other) for other in after) for one in before)


def _within(one: Network, other: Network) -> bool:
    return one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]
