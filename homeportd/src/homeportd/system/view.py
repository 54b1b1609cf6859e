"""The machine's load as the API shows it."""

from typing import Final

from pydantic import BaseModel

from homeportd.system.model import Load
from homeportd.system.served_user import UserChoice
from homeportd.system.settings import UserReason


class AmountView(BaseModel):
    """Bytes in use, of how many."""

    used: int
    total: int


class SystemView(BaseModel):
    """Load of the machine; the disk is the one that holds Homeport's data."""

    cpu_percent: float
    cpu_count: int
    memory: AmountView
    disk: AmountView


EVENTS: Final[dict[str, type[BaseModel]]] = {"system": SystemView}


class UserChoiceView(BaseModel):
    """Why the agent serves its user: a word, a sentence; the command that changes it, null without root."""

    reason: UserReason
    sentence: str
    change: str | None


def user_choice_view(choice: UserChoice) -> UserChoiceView:
    """The choice of the user."""
    return UserChoiceView(reason=choice.reason, sentence=choice.sentence, change=choice.change)


def system_view(load: Load) -> SystemView:
    """One reading of the load."""
    return SystemView(
        cpu_percent=load.cpu_percent,
        cpu_count=load.cpu_count,
        memory=AmountView(used=load.memory.used, total=load.memory.total),
        disk=AmountView(used=load.disk.used, total=load.disk.total),
    )
