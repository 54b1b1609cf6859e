"""The table of preferences."""

from __future__ import annotations

import json
from typing import Any

from homeportd import clock
from homeportd.database import Database


class PreferenceStore:
    """A JSON object a section; secrets in it are sealed already."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> dict[str, dict[str, Any]]:
        """Section -> its values."""
        rows = await self._database.all("SELECT section, value FROM preferences")
        return {str(section): json.loads(str(value)) for section, value in rows}

    async def save(self, section: str, values: dict[str, Any]) -> None:
        """Insert or replace a section."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO preferences (section, value, updated_at) VALUES (?,?,?)",
                (section, json.dumps(values), clock.to_text(clock.now())),
            )
