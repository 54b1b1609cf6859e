"""Programs that the agent runs to their end, for what they say."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

KEPT: Final = 64 * 1024  # bytes of output, the last ones


@dataclass(frozen=True)
class Finished:
    """The exit status of a program, and the end of what it wrote."""

    code: int
    output: bytes


async def run(
    *command: str, timeout_s: float, environment: Mapping[str, str] | None = None, errors: bool = False
) -> Finished:
    """Run a program in `/`, without input or terminal; `errors`: its standard error is output, too.

    It is killed with its whole session at the time-out, and when the caller is cancelled. Raises OSError where it
    cannot be started, TimeoutError.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd="/",
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT if errors else asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout is not None  # noqa: S101 - asked for above
    output = b""
    try:
        async with asyncio.timeout(timeout_s):
            while piece := await process.stdout.read(KEPT):
                output = (output + piece)[-KEPT:]
            code = await process.wait()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.communicate()  # so that the pipe is closed
    return Finished(code, output)
