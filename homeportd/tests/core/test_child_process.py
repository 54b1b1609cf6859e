"""Programs that the agent runs to their end."""

import asyncio
import os

import pytest

from homeportd.child_process import KEPT, run


def sh(script, timeout_s=30.0, **options):
    return run("sh", "-c", script, timeout_s=timeout_s, **options)


async def test_the_status_and_what_was_said():
    finished = await sh("echo said; echo wrong >&2; pwd; exit 3")
    assert (finished.code, finished.output) == (3, b"said\n/\n")
    assert (await sh("echo said; echo wrong >&2", errors=True)).output == b"said\nwrong\n"
    assert (await sh("echo $WORD", environment={"WORD": "x", "PATH": os.defpath})).output == b"x\n"


async def test_it_has_neither_input_nor_terminal():
    said = (await sh("cat; echo $$; cut -d ' ' -f 6,7 /proc/$$/stat")).output.split()
    assert said == [said[0], said[0], b"0"]  # a session of its own, without a controlling terminal


async def test_the_end_of_much_output_is_kept():
    finished = await sh(f"head -c {3 * KEPT} /dev/zero; echo end")
    assert len(finished.output) == KEPT
    assert finished.output.endswith(b"\0end\n")


async def test_what_cannot_be_started_is_an_error():
    with pytest.raises(FileNotFoundError):
        await run("/nowhere/program", timeout_s=1)


@pytest.mark.parametrize("cancelled", [True, False])
async def test_it_is_killed_with_what_it_started(tmp_path, cancelled):
    os.mkfifo(tmp_path / "alive")
    # Both hold the writing end of the FIFO: its reader sees the end when both have ended.
    script = f"exec 9>{tmp_path}/alive; sleep 600 & echo up >&9; wait"
    running = asyncio.create_task(sh(script, 600.0 if cancelled else 1.0))
    reader = await asyncio.to_thread(open, tmp_path / "alive", "rb", 0)
    with reader:
        assert await asyncio.to_thread(reader.read, 3) == b"up\n"
        if cancelled:
            running.cancel()
        with pytest.raises(asyncio.CancelledError if cancelled else TimeoutError):
            await running
        assert await asyncio.to_thread(reader.read) == b""
