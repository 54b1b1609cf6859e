"""A token bucket holds to its burst and its rate."""

from __future__ import annotations

from homeportd.token_bucket import TokenBucket


def test_a_burst_at_once_then_the_rate():
    bucket = TokenBucket(burst=3, rate=2)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(100.5), bucket.take(100.5)] == [True, False]
    assert [bucket.take(200.0) for _ in range(4)] == [True, True, True, False]


def test_what_went_beyond_the_limit_is_waited_for():
    bucket = TokenBucket(burst=250, rate=1000)
    assert bucket.spend(250, 5.0) == 0
    assert bucket.spend(500, 5.0) == 0.5
    assert bucket.spend(0, 5.25) == 0.25
    assert bucket.spend(0, 6.0) == 0
