"""The settings of terminals, which the owner changes at run time."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, StrictBool

SECTION: Final = "terminal"


class TerminalPreferences(BaseModel):
    """Whether the dashboard has terminals; switching them off ends those that are open."""

    enabled: StrictBool = True
