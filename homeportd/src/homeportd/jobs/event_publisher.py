"""The publisher of the events of jobs."""

from __future__ import annotations

from homeportd.events import Events
from homeportd.jobs.model import Job
from homeportd.jobs.service import Jobs
from homeportd.jobs.view import EVENTS, job_view


def publish_jobs(events: Events, jobs: Jobs) -> None:
    """Publish each change of a job from now on; progress and new lines are shown, and not kept."""

    def changed(job: Job, lasting: bool) -> None:
        if lasting:
            events.publish("job", job_view(job).model_dump())
        elif events.watched:
            events.show("job", job_view(job).model_dump())

    events.declare(EVENTS)
    jobs.changed.subscribe(changed)
