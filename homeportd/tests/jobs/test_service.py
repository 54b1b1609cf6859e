"""Jobs, against a real database."""

from __future__ import annotations

import asyncio

import pytest

from homeportd.database import Database
from homeportd.errors import HomeportError, Problem
from homeportd.jobs import service
from homeportd.jobs.model import State
from homeportd.jobs.service import Jobs
from homeportd.jobs.store import JobStore
from homeportd.jobs.view import job_view


async def until_cancelled(job):
    job.step("waiting")
    await asyncio.Event().wait()


async def reloaded(path):
    """The jobs as a later agent finds them."""
    database = await Database.open(path)
    try:
        later = Jobs(JobStore(database))
        await later.load()
        found = later.all(), {job.id: await later.log(job.id) for job in later.all()}
        await later.close()
        return found
    finally:
        await database.close()


async def test_a_job_is_followed_to_its_end_and_kept(jobs, tmp_path) -> None:
    seen = []
    jobs.changed.subscribe(lambda job, lasting: seen.append((job.state, job.step)) if lasting else None)

    async def work(job):
        job.step("receiving")
        job.progress(1, 2, "%")
        job.line("one\ntwo \x1b[31mred")
        job.note("it has submodules")
        job.subject("shop")

    begun = await jobs.start("clone", "clone of shop", "", work)
    ended = await jobs.ended(begun.id)

    assert (ended.state, ended.subject, ended.notes) == (State.DONE, "shop", ("it has submodules",))
    assert seen[0] == (State.QUEUED, "")
    assert (State.RUNNING, "receiving") in seen
    assert seen[-1] == (State.DONE, "receiving")
    kept, logs = await reloaded(tmp_path / "homeport.db")
    assert list(map(job_view, kept)) == [job_view(ended)]
    assert [line.text for line in logs[ended.id]] == ["receiving", "one", "two [31mred"]


async def test_failure_and_cancel_are_told_apart(jobs) -> None:
    async def refuses(_job):
        raise HomeportError("no room", "make room")

    failed = await jobs.ended((await jobs.start("clone", "a", "", refuses)).id)
    waiting = await jobs.start("clone", "b", "", until_cancelled)
    await jobs.cancel(waiting.id)

    assert (failed.state, failed.error.detail, failed.error.fix) == (State.FAILED, "no room", "make room")
    assert (await jobs.ended(waiting.id)).state is State.CANCELLED
    with pytest.raises(Problem, match="has ended already") as refusal:
        await jobs.cancel(waiting.id)
    assert refusal.value.status == 409
    with pytest.raises(Problem) as unknown:
        await jobs.cancel(99)
    assert unknown.value.status == 404


async def test_an_unexpected_error_fails_the_job_and_not_the_agent(jobs, caplog) -> None:
    async def broken(_job):
        raise KeyError("x")

    ended = await jobs.ended((await jobs.start("clone", "a", "", broken)).id)

    assert ended.state is State.FAILED
    assert "KeyError" in ended.error.detail
    assert "Traceback" in caplog.text


async def test_what_the_end_of_the_agent_interrupts_is_cut(jobs, tmp_path) -> None:
    running = await jobs.start("clone", "a", "", until_cancelled)
    await jobs.close()

    (job,), _ = await reloaded(tmp_path / "homeport.db")
    assert (job.id, job.state, job.step) == (running.id, State.CUT, "waiting")


async def test_what_a_killed_agent_left_running_is_cut(jobs, tmp_path) -> None:
    await jobs.start("clone", "a", "", until_cancelled)

    (job,), _ = await reloaded(tmp_path / "homeport.db")  # the first agent never noted an end

    assert job.state is State.CUT
    assert job.ended_at is not None


async def test_further_jobs_wait_and_a_waiting_one_can_be_cancelled(jobs) -> None:
    running = [await jobs.start("clone", str(n), "", until_cancelled) for n in range(service.AT_ONCE)]
    waiting = [await jobs.start("clone", "late", "", until_cancelled) for _ in range(2)]
    assert [jobs.get(job.id).state for job in waiting] == [State.QUEUED] * 2

    await jobs.cancel(waiting[0].id)
    assert (await jobs.ended(waiting[0].id)).state is State.CANCELLED
    begun = asyncio.Event()
    jobs.changed.subscribe(lambda job, _: job.id == waiting[1].id and begun.set())
    await jobs.cancel(running[0].id)
    await begun.wait()
    assert jobs.get(waiting[1].id).state is State.RUNNING


async def test_a_second_job_of_the_same_subject_is_refused(jobs) -> None:
    first = await jobs.start("pull", "pull of shop", "shop", until_cancelled, exclusive=True)
    with pytest.raises(Problem, match=f"under way already, as job {first.id}"):
        await jobs.start("pull", "pull of shop", "shop", until_cancelled, exclusive=True)
    await jobs.start("pull", "pull of blog", "blog", until_cancelled, exclusive=True)


async def test_logs_and_ended_jobs_are_bounded(jobs, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(service, "KEPT", 2)

    async def prints(job):
        for number in range(5 * service.KEPT_LINES):
            job.line(f"{number} " + "x" * 2 * service.MAX_TEXT)
        await asyncio.sleep(0)

    ids = [(await jobs.ended((await jobs.start("clone", "a", "", prints)).id)).id for _ in range(3)]

    assert [job.id for job in jobs.all()] == ids[:0:-1]
    lines = await jobs.log(ids[-1])
    assert len(lines) == service.KEPT_LINES
    assert lines[-1].number == 5 * service.KEPT_LINES
    assert len(lines[0].text) == service.MAX_TEXT
    kept, _ = await reloaded(tmp_path / "homeport.db")
    assert [job.id for job in kept] == ids[:0:-1]
