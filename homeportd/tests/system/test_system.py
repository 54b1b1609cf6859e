"""The load of the machine."""

from __future__ import annotations

import os
import shutil
import time

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.system import service as module
from homeportd.system.model import Amount, CpuTimes, cpu_percent, cpu_times, memory
from homeportd.system.service import System


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Readings that are never too fresh to be made anew."""
    monkeypatch.setattr(module, "FRESH", 0.0)
    return System(tmp_path / "not/yet/made")


def test_memory_and_disk_are_what_psutil_says(system, tmp_path):
    for last in (False,) * 9 + (
        True,
    ):  # one of a few: others may have taken memory, or written, between two looks
        load = system.read()
        virtual, disk = psutil.virtual_memory(), shutil.disk_usage(tmp_path)
        memory_used = pytest.approx(virtual.total - virtual.available, rel=0.1)
        disk_used = pytest.approx(disk.used, rel=0.05)
        if last or (load.memory.used, load.disk.used) == (memory_used, disk_used):
            break
    assert (load.memory.total, load.memory.used) == (virtual.total, memory_used)
    assert (load.disk.total, load.disk.used) == (disk.total, disk_used)
    assert load.cpu_count == os.cpu_count()


def test_a_busy_stretch_shows_in_the_next_reading(system):
    # One processor was ours alone for that time; or for that of one attempt, on a machine that stands still at times.
    attempts = [busy_stretch(system) for _ in range(5)]
    assert max(attempts) >= 50.0 / (os.cpu_count() or 1)


def busy_stretch(system):
    """What is read after it."""
    system.read()
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    return system.read().cpu_percent


def test_a_reading_is_kept_for_a_moment(system, monkeypatch):
    first = system.read()
    monkeypatch.setattr(module, "FRESH", 60.0)
    assert system.read() is first


def test_a_reading_costs_little(system):
    system.read()
    spent = []
    for _ in range(20):
        start = time.thread_time()
        system.read()
        spent.append(time.thread_time() - start)
    assert sorted(spent)[10] < 0.002


def test_psutil_in_place_of_proc(system, monkeypatch):
    by_proc = system.read()
    monkeypatch.setattr(module.sys, "platform", "darwin")
    load = system.read()
    assert load.memory.total == by_proc.memory.total
    assert 0 <= load.cpu_percent <= 100


def test_the_files_of_proc():
    assert cpu_times("cpu  10 1 5 100 20 1 1 2 4 4\n") == CpuTimes(120, 140)
    assert memory("MemTotal:  8 kB\nMemFree: 1 kB\nMemAvailable:  2 kB\n") == Amount(6 * 1024, 8 * 1024)
    for read, text in ((cpu_times, "cpu0 1 2 3 4"), (cpu_times, "intr 1"), (memory, "MemTotal: 8 kB")):
        with pytest.raises(ValueError, match="/proc"):
            read(text)


times = st.builds(CpuTimes, st.integers(0, 10**12), st.integers(0, 10**12))


@given(times, times)
def test_a_share_is_a_share(before, after):
    assert 0 <= cpu_percent(before, after) <= 100


def test_half_of_the_time():
    assert cpu_percent(CpuTimes(100, 200), CpuTimes(150, 300)) == 50.0
