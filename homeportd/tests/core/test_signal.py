"""A signal calls its subscribers in order, whatever one of them does."""

from __future__ import annotations

from homeportd.signal import Signal


def test_subscribers_are_called_in_order():
    signal: Signal[[int, str]] = Signal()
    calls = []
    signal.subscribe(lambda number, text: calls.append(("first", number, text)))
    signal.subscribe(lambda number, text: calls.append(("second", number, text)))
    signal.emit(1, "a")
    assert calls == [("first", 1, "a"), ("second", 1, "a")]


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


def test_a_subscriber_that_is_added_during_a_call_is_called_from_the_next_one_on():
    signal: Signal[[]] = Signal()
    calls = []

    def adds_another() -> None:
        calls.append("called")
        signal.subscribe(lambda: calls.append("later"))

    signal.subscribe(adds_another)
    signal.emit()
    assert calls == ["called"]
    signal.emit()
    assert calls == ["called", "called", "later"]
