"""What the agent does again and again."""

import asyncio

from homeportd.tasks import TaskSet


async def test_what_fails_once_is_done_again_and_told_of_once(caplog):
    done = asyncio.Event()
    left = [OSError(24, "Too many open files")] * 3

    def action():
        if left:
            raise left.pop()
        done.set()

    async with asyncio.timeout(60), TaskSet() as tasks:
        tasks.repeat(0.001, action, "a sweep")
        await done.wait()
    assert len(caplog.records) == 1
