"""The rate limit of a tunnel, in bytes a second."""

from __future__ import annotations

from typing import Final

from homeportd.token_bucket import TokenBucket

BURST_S: Final = 0.25  # a rate may be overdrawn by what it gives in so many seconds


def rate_limit(bytes_per_second: int) -> TokenBucket:
    """A bucket of bytes that all connections of a tunnel share, one for each direction."""
    return TokenBucket(bytes_per_second * BURST_S, bytes_per_second)
