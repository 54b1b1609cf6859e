"""How tests are dealt out to the processes of pytest-xdist: a file at a time, the slow ones first."""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# Has a parameter for each machine that a file goes through the life of, test after test.
OF_MACHINES = "tests/site/"


class ByMachine(LoadFileScheduling):
    """One file in one process, but for those about machines: there, one machine in one process."""

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        _, _, machine = nodeid.partition("[")  # empty where a file has one machine
        return scope + machine if nodeid.startswith(OF_MACHINES) else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByMachine:
    """Called by pytest-xdist in the process that deals out."""
    return ByMachine(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that have slow tests come first, so that no process is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
