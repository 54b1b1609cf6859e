"""The route of the activity feed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from homeportd.activity.store import ActivityLog
from homeportd.activity.view import ActivityView, activity_view
from homeportd.auth.guard import Guard
from homeportd.http import problems

MAX_ROWS = 200
MAX_ID = 2**63 - 1


def router(log: ActivityLog, guard: Guard) -> APIRouter:
    """The route of this room."""
    routes = APIRouter(prefix="/api/activity", tags=["activity"], dependencies=[Depends(guard)])

    @routes.get("", responses=problems(401, 422))
    async def list_activity(
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 50,
        before: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
        repo: Annotated[str | None, Query(max_length=300)] = None,
    ) -> list[ActivityView]:
        """What happened, the newest first: of all, or of one repo; older than row `before` where that is given."""
        rows = await (log.recent(limit, before) if repo is None else log.newest(repo, limit, before))
        return [activity_view(row) for row in rows]

    return routes
