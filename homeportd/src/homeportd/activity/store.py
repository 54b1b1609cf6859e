"""The table of the activity feed."""

from __future__ import annotations

from typing import Any

from homeportd.activity.model import Entry, Kind
from homeportd.database import Database
from homeportd.journal import Journal


class ActivityLog(Journal[Entry]):
    """The rows of the table `activity`, by repo."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "activity", "subject", Entry, _entry)

    async def recent(self, limit: int, before: int | None) -> list[Entry]:
        """The newest rows of all repos, at most `limit`, with ids below `before`."""
        await self.flush()
        rows = await self._database.all(
            "SELECT subject, time, kind, name, detail, by, id FROM activity WHERE id < ? ORDER BY id DESC LIMIT ?",
            before if before is not None else 2**63 - 1,
            limit,
        )
        return [_entry(*row) for row in rows]


def _entry(subject: Any, time: Any, kind: Any, *rest: Any) -> Entry:
    name, detail, by, id_ = rest
    return Entry(subject, time, Kind(kind), name, detail, by, id_)
