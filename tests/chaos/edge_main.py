"""The agent as it is, but that SIGUSR1 has it write what its event loop holds to the file $CHAOS_CENSUS.

$CHAOS_PATIENCE and $CHAOS_HEARTBEAT are its seconds for a first word, and between heartbeats, where they are set.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

COUNTED = {"Stream", "Flow", "Session", "MeteredBridge", "Link", "Client", "ErrorPage"}
COUNTED |= {"_Direct", "_PendingVisitor", "_UpgradeDetector", "_Visitor"}


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


def hasten() -> None:
    from homeportd.edge.connections import client, link
    from homeportd.edge.listeners import client as listener

    if patience := os.environ.get("CHAOS_PATIENCE"):
        listener.HEAD_S = link.HELLO_S = float(patience)
    if heartbeat := os.environ.get("CHAOS_HEARTBEAT"):
        listener.CONFIG = replace(listener.CONFIG, keepalive_interval=float(heartbeat))
        client.SILENT_S = float(heartbeat) + 1


if __name__ == "__main__":
    from homeportd.__main__ import main

    hasten()

    signal.signal(signal.SIGUSR1, census)
    sys.exit(main())
