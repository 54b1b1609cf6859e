from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.errors import Problem
from homeportd.shares.expiry import parse

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("never", None),
        ("30m", NOW + timedelta(minutes=30)),
        ("24h", NOW + timedelta(hours=24)),
        ("7D", NOW + timedelta(days=7)),
        ("2 w", NOW + timedelta(weeks=2)),
        ("2026-11-21", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2027-01-31T18:00", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31T18:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        ("2027-01-31T18:00:00+02:00", datetime(2027, 1, 31, 16, tzinfo=UTC)),
    ],
)
def test_what_people_write(text, moment):
    assert parse(text, NOW) == moment


@pytest.mark.parametrize(
    "text", ["", " 24h", "0h", "-1h", "1y", "soon", "24", "2020-01-01", "9999-12-32", "999999w", "1h1h", "٣h"]
)
def test_what_is_refused_says_what_to_write(text):
    with pytest.raises(Problem) as caught:
        parse(text, NOW)
    assert caught.value.status in (409, 422)
    assert caught.value.fix


@given(st.text(max_size=40))
def test_any_text_is_a_future_moment_never_or_a_refusal(text):
    try:
        moment = parse(text, NOW)
    except Problem:
        return
    assert moment is None or moment > NOW
