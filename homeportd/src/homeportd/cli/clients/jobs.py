"""Following a job of the agent to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.errors import INTERRUPTED, NOT_FOUND, UNREACHABLE, Failure
from homeportd.cli.job_types import Job

POLL_S: Final = 0.2  # between two requests for a job that is followed
CANCEL_S: Final = 30.0  # for which a cancelled job may clean up
RESTART_S: Final = 60.0  # for which an agent that restarts is waited for

ENDED: Final = ("done", "failed", "cancelled", "cut")


def follow(agent: Agent, job: Job, show: Callable[[Job], None], *, cancels: bool) -> Job:
    """Call `show` at each change of a job until it has ended; returns it then.

    `cancels`: Ctrl-C cancels the job and waits until it has cleaned up. Raises Failure, KeyboardInterrupt.
    """
    try:
        return _follow(agent, job, show)
    except KeyboardInterrupt:
        if not cancels:
            raise
        try:
            agent.post(f"/jobs/{job['id']}/cancel")
        except Failure as failure:
            if failure.status != 409:  # it has ended by itself
                raise
        end = time.monotonic() + CANCEL_S
        while time.monotonic() < end:
            last: Job = agent.get(f"/jobs/{job['id']}")
            if last["state"] in ENDED:
                return last
            time.sleep(POLL_S)
        raise


def outcome(job: Job) -> None:
    """Return for a job that is done; raises Failure for one that has ended otherwise."""
    if job["state"] == "failed" and job["error"]:
        raise Failure(job["error"]["detail"], job["error"]["fix"])
    if job["state"] == "cancelled":
        raise Failure(f"cancelled: {job['title']}", "nothing is left of it; start it again", INTERRUPTED)
    if job["state"] == "cut":
        raise Failure(f"the agent ended before this did: {job['title']}", "start it again")


def _follow(agent: Agent, job: Job, show: Callable[[Job], None]) -> Job:
    before: Job | None = None
    lost_at: float | None = None
    while True:
        if job != before:
            show(job)
            before = job
        if job["state"] in ENDED:
            return job
        time.sleep(POLL_S)
        try:
            job = agent.get(f"/jobs/{job['id']}")
        except Failure as failure:
            if failure.code not in (UNREACHABLE, NOT_FOUND) or failure.status == 404:
                raise
            lost_at = lost_at or time.monotonic()
            if time.monotonic() - lost_at > RESTART_S:
                raise
        else:
            lost_at = None
