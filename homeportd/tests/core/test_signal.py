"""A signal calls its subscribers in order, whatever one of them does."""

from __future__ import annotations

import pytest

from homeportd.signal import Signal


def test_subscribers_are_called_in_order_until_they_unsubscribe():
    signal: Signal[[int, str]] = Signal()
    calls = []

    def second(number: int, text: str) -> None:
        calls.append(("second", number, text))

    signal.subscribe(lambda number, text: calls.append(("first", number, text)))
    signal.subscribe(second)
    signal.emit(1, "a")
    signal.unsubscribe(second)
    signal.emit(2, "b")
    assert calls == [("first", 1, "a"), ("second", 1, "a"), ("first", 2, "b")]
    with pytest.raises(ValueError, match="not in list"):
        signal.unsubscribe(second)


def test_a_subscriber_that_fails_is_logged_and_stops_no_other(caplog):
    signal: Signal[[]] = Signal()
    calls = []

    def fail() -> None:
        raise RuntimeError("no such luck")

    signal.subscribe(fail)
    signal.subscribe(lambda: calls.append(1))
    signal.emit()
    assert calls == [1]
    assert "no such luck" in caplog.text


def test_a_subscriber_may_subscribe_and_unsubscribe_while_it_is_called():
    signal: Signal[[]] = Signal()
    calls = []

    def once() -> None:
        calls.append("once")
        signal.unsubscribe(once)
        signal.subscribe(lambda: calls.append("late"))

    signal.subscribe(once)
    signal.emit()
    signal.emit()
    assert calls == ["once", "late"]
