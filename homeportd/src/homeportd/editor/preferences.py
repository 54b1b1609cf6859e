"""The settings of the editor that its owner changes at run time."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

SECTION: Final = "editor"


class EditorPreferences(BaseModel):
    """The minutes without an open window after which the editor is stopped; 0: never."""

    idle_minutes: Annotated[int, Field(ge=0, le=10_080)] = 30
