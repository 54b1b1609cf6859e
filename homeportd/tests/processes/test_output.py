"""Output on disk: bounded, with times and offsets, read while it is written, by many."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeportd.processes.model import Chunk
from homeportd.processes.output import MAX_LINE, LineSplitter, Output
from homeportd.processes.runner import output as writing
from homeportd.processes.runner.output import OutputWriter

from .conftest import ended, python, shell


@pytest.fixture
def small(monkeypatch):
    """Segments of a kilobyte."""
    monkeypatch.setattr(writing, "SEGMENT", 1024)


def all_of(output, position=0):
    """Everything that is kept, and the offset at which it begins."""
    first, found = None, b""
    while (chunk := output.read(position)) is not None:
        first = chunk.offset if first is None else first
        found += chunk.data
        position = chunk.end
    return first, found


def test_old_output_goes_and_offsets_stay(tmp_path, small):
    folder = str(tmp_path / "output")
    writer = OutputWriter(folder)
    written = b"".join(b"line %05d\n" % number for number in range(1000))
    for start in range(0, len(written), 100):
        writer.write(written[start : start + 100])
    output = Output(folder)
    first, end = output.bounds()
    assert end == len(written)
    assert end - first <= writing.SEGMENTS * (1024 + 100)
    assert all_of(output) == (first, written[first:])
    assert output.read(end) is None
    again = OutputWriter(folder)  # the next run goes on
    again.write(b"more")
    assert output.read(end).data == b"more"
    assert [line.text for line in output.tail(2)] == ["line 00999", "more"]


def test_each_piece_has_the_time_at_which_it_was_printed(tmp_path, monkeypatch):
    clock = [1_000_000_000_000_000_000]
    monkeypatch.setattr(writing.time, "time_ns", lambda: clock[0])
    writer = OutputWriter(str(tmp_path))
    for number in range(40):
        writer.write(b"%02d\n" % number)
        clock[0] += 60_000_000  # 60 ms
    output = Output(str(tmp_path))
    assert output.read(0) == Chunk(0, 1_000_000_000.0, b"00\n")
    assert [round(line.time - 1_000_000_000, 2) for line in output.tail(3)] == [2.22, 2.28, 2.34]
    assert [line.text for line in output.tail(3)] == ["37", "38", "39"]
    assert output.tail(0) == []
    assert len(output.tail(99)) == 40


@given(
    lines=st.lists(st.text("abc\u00fc", max_size=40), max_size=30),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    end=st.booleans(),
)
def test_lines_come_whole_however_they_were_cut(lines, cuts, end):
    data = "\n".join(lines).encode() + (b"\n" if end and lines else b"")
    splitter = LineSplitter()
    found = []
    borders = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, stop in pairwise(borders):
        found += splitter.feed(Chunk(start, 1.0, data[start:stop]))
    rest = splitter.rest()
    texts = [line.text for line in found] + ([rest.text] if rest else [])
    assert texts == [line.decode() for line in data.split(b"\n")][: len(texts)]
    assert "\n".join(texts) == data.decode().removesuffix("\n")
    for line in found:
        assert data[line.offset : line.end].decode() == line.text + "\n"


def test_a_line_without_end_is_cut(tmp_path):
    splitter = LineSplitter()
    found = list(splitter.feed(Chunk(0, 1.0, b"x" * (3 * MAX_LINE + 5))))
    assert [len(line.text) for line in found] == [MAX_LINE] * 3
    assert splitter.rest().end == 3 * MAX_LINE + 5


async def test_many_follow_at_their_own_pace(processes, tmp_path):
    await processes.start(
        python("a", "for n in range(20000): print('line', n)", tmp_path, environment={"PYTHONUNBUFFERED": ""})
    )

    async def follow(pause):
        found = b""
        async for chunk in processes.output("a"):
            found += chunk.data
            await asyncio.sleep(pause)
        return found

    results = await asyncio.gather(*(follow(pause) for pause in (0, 0, 0.001, 0.01)))
    expected = b"".join(b"line %d\n" % number for number in range(20000))
    assert all(each == expected for each in results)


async def test_colours_stay_and_what_is_no_text_is_shown_safely(processes, tmp_path):
    await processes.start(shell("a", r"printf '\033[31mred\033[0m\r\n\377\n'", tmp_path))
    await ended(processes, "a")
    assert [line.text for line in await processes.tail("a", 9)] == ["\x1b[31mred\x1b[0m", "\ufffd"]
    await processes.start(shell("a", "echo second run", tmp_path))
    await ended(processes, "a")
    assert [line.text for line in await processes.tail("a", 9, this_run=True)] == ["second run"]
    assert len(await processes.tail("a", 9)) == 3


async def test_a_process_goes_on_when_its_disk_takes_nothing(processes, tmp_path):
    await processes.start(shell("a", "echo $$; read line; echo more; exit 4", tmp_path))
    async for _ in processes.output("a"):
        break
    output = tmp_path / "processes/a/output"
    output.rename(output.with_name("gone"))  # no segment can be made any more
    await processes.write("a", b"\n")
    async for _ in processes.output("a", 10**9):
        pass
    assert processes.get("a").exit.code == 4
