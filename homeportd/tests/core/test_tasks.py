"""Background tasks end with their owner, and a failure is seen."""

from __future__ import annotations

import asyncio
import logging

import pytest

from homeportd.tasks import TaskSet


async def test_a_task_that_fails_is_logged_by_its_name(caplog):
    async def fail() -> None:
        raise RuntimeError("no such luck")

    tasks = TaskSet()
    tasks.spawn(fail(), "a look")
    await tasks.finish()
    assert "“a look” failed" in caplog.text
    assert "no such luck" in caplog.text
    assert not tasks


async def test_close_cancels_and_waits_for_what_the_tasks_do_at_their_end():
    ended = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(1)
            tasks.spawn(asyncio.Event().wait(), "a task of a task")  # must not outlive its set either

    async with TaskSet() as tasks:
        tasks.spawn(work(), "work")
        await asyncio.sleep(0)
        assert len(tasks) == 1
    assert ended == [1]
    assert not tasks


async def test_close_leaves_a_task_that_hangs_after_its_time():
    released, tasks = asyncio.Event(), TaskSet()

    async def hang() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    task = tasks.spawn(hang(), "a task that hangs")
    await asyncio.sleep(0)
    await tasks.close(timeout_s=0.01)
    assert not task.done()
    released.set()
    await task


async def test_finish_waits_without_cancelling():
    may_end, tasks = asyncio.Event(), TaskSet()
    task = tasks.spawn(may_end.wait(), "a write")
    asyncio.get_running_loop().call_soon(may_end.set)
    await tasks.finish()
    assert task.result() is True


async def test_a_task_may_close_its_own_set():
    tasks = TaskSet()
    other = tasks.spawn(asyncio.Event().wait(), "another")
    closing = tasks.spawn(tasks.close(), "the one that closes")
    await closing
    assert other.cancelled()


async def test_an_action_that_fails_is_repeated_and_logged_once_a_row(caplog):
    runs: asyncio.Queue[int] = asyncio.Queue()
    outcomes = iter([OSError("one"), OSError("two"), None, OSError("three")])

    async def action() -> None:
        outcome = next(outcomes, None)
        runs.put_nowait(1)
        if outcome is not None:
            raise outcome

    async with TaskSet() as tasks:
        tasks.repeat(0.001, action, "a sweep")
        for _ in range(6):
            await runs.get()
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [str(record.exc_info[1]) for record in failures] == ["one", "three"]


@pytest.mark.parametrize("period_s", [0.001])
async def test_a_plain_function_is_repeated_too(period_s):
    called = asyncio.Event()
    async with TaskSet() as tasks:
        tasks.repeat(period_s, called.set, "a ping")
        await called.wait()
