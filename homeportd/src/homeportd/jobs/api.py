"""The routes of jobs."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from homeportd.auth.guard import Guard
from homeportd.http import problems
from homeportd.jobs.service import Jobs
from homeportd.jobs.view import JobLineView, JobView, job_view, line_views

MAX_ID = 2**63 - 1
JobId = Annotated[int, Path(ge=1, le=MAX_ID)]


def router(jobs: Jobs, guard: Guard) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(prefix="/api/jobs", tags=["jobs"], dependencies=[Depends(guard)])

    @routes.get("", responses=problems(401))
    async def list_jobs() -> list[JobView]:
        """Jobs that wait or run, and the last ones that ended; the newest first."""
        return [job_view(job) for job in jobs.all()]

    @routes.get("/{job}", responses=problems(401, 404, 422))
    async def read_job(job: JobId) -> JobView:
        return job_view(jobs.get(job))

    @routes.get("/{job}/log", responses=problems(401, 404, 422))
    async def read_job_log(
        job: JobId, since: Annotated[int, Query(ge=0, le=MAX_ID)] = 0
    ) -> list[JobLineView]:
        """The kept lines of a job's log after number `since`."""
        return line_views(await jobs.log(job, since))

    @routes.post("/{job}/cancel", status_code=202, responses=problems(401, 403, 404, 409, 422))
    async def cancel_job(job: JobId) -> JobView:
        """Ask a job to end; its state is `cancelled` as soon as it has cleaned up."""
        return job_view(await jobs.cancel(job))

    return routes
