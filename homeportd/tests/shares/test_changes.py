from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeportd.networks import parse_networks
from homeportd.shares.changes import narrows
from homeportd.shares.model import Mode, Share

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SHARE = Share(3000, "a", 1, Mode.PASSWORD, "hash", NOW + timedelta(days=1), (), 5, 3, NOW)


def allow(*texts):
    return {"allow": parse_networks(texts)}


@pytest.mark.parametrize(
    ("before", "after", "narrower"),
    [
        ({}, {}, False),
        ({}, {"mode": Mode.PRIVATE}, True),
        ({}, {"mode": Mode.PUBLIC, "password_hash": None, "max_uses": None}, False),
        ({"mode": Mode.PUBLIC, "password_hash": None}, {}, True),
        ({"mode": Mode.PRIVATE}, {}, False),
        ({}, {"password_hash": "other"}, True),
        ({}, {"expires_at": None}, False),
        ({}, {"expires_at": NOW + timedelta(hours=1)}, True),
        ({"expires_at": None}, {}, True),
        ({"expires_at": NOW}, {"mode": Mode.PRIVATE}, False),
        ({}, {"max_uses": 4}, True),
        ({}, {"max_uses": None}, False),
        ({"max_uses": None}, {}, True),
        ({}, allow("10.0.0.0/8"), True),
        (allow("10.0.0.0/8"), {}, False),
        (allow("10.1.0.0/16"), allow("10.0.0.0/8"), False),
        (allow("10.0.0.0/8"), allow("10.1.0.0/16"), True),
        (allow("10.0.0.0/8", "2001:db8::/32"), allow("10.0.0.0/8"), True),
        (allow("10.0.0.0/8"), allow("2001:db8::/32", "10.0.0.0/8"), False),
    ],
)
def test_a_change_is_narrower_when_it_takes_something_from_somebody(before, after, narrower):
    assert narrows(replace(SHARE, **before), replace(SHARE, **after), NOW) is narrower


def test_a_first_share_takes_nothing():
    assert not narrows(None, SHARE, NOW)
