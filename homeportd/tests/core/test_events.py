import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.events import KEPT, MAX_WATCHERS, QUEUED, Events, TooManyWatchers


async def test_a_watcher_gets_what_happens_after_it_joined():
    events = Events()
    events.publish("before", {})
    with events.watch(None) as watcher:
        assert not watcher.resumed
        events.publish("port.opened", {"port": 3000})
        event = await asyncio.wait_for(watcher.next(), 30)
        assert event.message() == {"id": 2, "type": "port.opened", "data": {"port": 3000}}


@given(st.integers(0, 40), st.data())
def test_a_returning_watcher_misses_nothing_and_gets_nothing_twice(count, data):
    events = Events()
    for number in range(count):
        events.publish("n", {"n": number})
    seen = data.draw(st.integers(0, count))
    with events.watch(f"{events.epoch}:{seen}") as watcher:
        assert watcher.resumed
        assert [event.id for event in watcher.missed] == list(range(seen + 1, count + 1))


@pytest.mark.parametrize(
    "since", ["", "x", "x:1", "{epoch}:", "{epoch}:-1", "{epoch}:9", "{epoch}:１", "{epoch}:" + "9" * 30]
)
async def test_a_place_that_means_nothing_starts_afresh(since):
    events = Events()
    events.publish("n", {})
    with events.watch(since.replace("{epoch}", events.epoch)) as watcher:
        assert not watcher.resumed
        assert watcher.missed == ()


async def test_the_log_forgets_and_says_so():
    events = Events()
    for _ in range(KEPT + 1):
        events.publish("n", {})
    with events.watch(f"{events.epoch}:0") as gone, events.watch(f"{events.epoch}:1") as there:
        assert not gone.resumed
        assert there.resumed
        assert len(there.missed) == KEPT


async def test_figures_of_the_present_are_not_replayed():
    events = Events()
    events.show("system", {})
    with events.watch(f"{events.epoch}:0") as watcher:
        assert watcher.resumed
        assert watcher.missed == ()
        events.show("system", {"cpu": 1})
        assert (await watcher.next()).id is None


async def test_a_watcher_that_lags_is_ended_not_buffered_without_end():
    events = Events()
    with events.watch(None) as watcher:
        for _ in range(QUEUED * 2):
            events.publish("n", {})
        received = []
        while (event := await asyncio.wait_for(watcher.next(), 30)) is not None:
            received.append(event.id)
        assert watcher.lagging
        assert received == list(range(2, QUEUED + 1))


async def test_watchers_are_limited_and_leave():
    events = Events()
    open_watches = [events.watch(None) for _ in range(MAX_WATCHERS)]
    for watch in open_watches:
        watch.__enter__()
    with pytest.raises(TooManyWatchers), events.watch(None):
        pass
    for watch in open_watches:
        watch.__exit__(None, None, None)
    assert not events.watched


async def test_close_ends_every_watch():
    events = Events()
    with events.watch(None) as watcher:
        events.close()
        assert await watcher.next() is None
