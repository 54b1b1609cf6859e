"""An entry of the activity feed as the API shows it."""

from typing import Final

from pydantic import BaseModel

from homeportd.activity.model import Entry, Kind


class ActivityView(BaseModel):
    """What happened. `repo` is null where it was about none; `by` where nobody asked. `id` 0: not on disk yet."""

    id: int
    time: str
    repo: str | None
    kind: Kind
    name: str
    detail: str
    by: str | None


EVENTS: Final[dict[str, type[BaseModel]]] = {"activity": ActivityView}


def activity_view(entry: Entry) -> ActivityView:
    """One entry."""
    return ActivityView(
        id=entry.id,
        time=entry.time,
        repo=entry.subject or None,
        kind=entry.kind,
        name=entry.name,
        detail=entry.detail,
        by=entry.by or None,
    )
