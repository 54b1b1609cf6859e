"""The agent as it is, but that SIGUSR1 has it write what its event loop holds to the file $CHAOS_CENSUS."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path

COUNTED = {"Stream", "Flow", "Session", "Carrier", "LimitedCarrier", "Link", "Client", "Apology"}
COUNTED |= {"_Direct", "_Arrival", "_Visitor"}


def census(_number: int, _frame: object) -> None:
    """Tasks by what they run, our objects by their type."""
    tasks = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
    gc.collect()
    objects = Counter(
        type(item).__name__
        for item in gc.get_objects()
        if type(item).__module__.startswith("homeportd.") and type(item).__name__ in COUNTED
    )
    file = Path(os.environ["CHAOS_CENSUS"])
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({"tasks": tasks, "objects": objects}))
    fresh.rename(file)


if __name__ == "__main__":
    from homeportd.__main__ import main

    signal.signal(signal.SIGUSR1, census)
    sys.exit(main())
