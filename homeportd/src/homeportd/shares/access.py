"""The access log: visitors of shared ports, and the decisions about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from homeportd import clock
from homeportd.database import Database
from homeportd.journal import Journal
from homeportd.shares.model import Decision

MAX_TEXT = 512  # characters of a path or a user agent


@dataclass(frozen=True)
class Access:
    """A row of the access log; `path` is without its query, which may hold secrets. `id` is 0 until it is on disk."""

    port: int
    time: str
    address: str
    user_agent: str
    method: str
    path: str
    decision: Decision
    id: int = 0


class AccessLog(Journal[Access]):
    """The rows of the table `accesses`, by port."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "accesses", "port", Access, _access)

    def record(
        self, *, port: int, address: str, user_agent: str, method: str, path: str, decision: Decision
    ) -> None:
        """Add a row; never waits, never fails."""
        self.append(
            Access(
                port=port,
                time=clock.to_text(clock.now()),
                address=address,
                user_agent=user_agent[:MAX_TEXT],
                method=method[:16],
                path=path.partition("?")[0][:MAX_TEXT],
                decision=decision,
            )
        )


def _access(port: Any, time: Any, address: Any, user_agent: Any, *rest: Any) -> Access:
    method, path, decision, id_ = rest
    return Access(port, time, address, user_agent, method, path, Decision(decision), id_)
