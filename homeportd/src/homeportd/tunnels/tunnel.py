"""A tunnel of this client: where it stands with the edge, and what moves through it."""

from __future__ import annotations

from datetime import datetime
from time import monotonic
from typing import Any, Final, Protocol

from homeportd import clock
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels.address import Target
from homeportd.tunnels.backoff import Backoff
from homeportd.tunnels.errors import Problem
from homeportd.tunnels.model import FINAL, State, TunnelSpec

REOPEN_FIRST_S: Final = 1.0  # seconds after which a refused tunnel is asked for again, at first
REOPEN_LONGEST_S: Final = 60.0
SMOOTHING: Final = 0.5  # of the rates, a second: how much the last second weighs
WARNINGS: Final = (5, 0.1)  # of a tunnel's visitors in the log: so many at once, so many a second


class Visit(Protocol):
    """One visitor, counted while it lasts."""

    @property
    def bytes_in(self) -> int:
        """From the visitor."""

    @property
    def bytes_out(self) -> int:
        """To the visitor."""

    def abort(self) -> None:
        """End it abruptly."""


class Tunnel:
    """Changed by the client alone; visits count themselves in and out."""

    def __init__(self, key: str, spec: TunnelSpec) -> None:
        self.key = key  # within this client
        self.spec = spec
        self.target = Target.parse(spec.target)
        self.state = State.OFFLINE
        self.problem: Problem | None = None
        self.id: str | None = None  # the edge's
        self.address: str | None = None
        self.name: str | None = spec.name
        self.port: int | None = spec.port
        self.since: datetime = clock.now()  # of the present state
        self.request: int | None = None  # an `open` that is not answered yet
        self.retry = Backoff(REOPEN_FIRST_S, REOPEN_LONGEST_S)
        self.retry_at: float | None = None  # by `monotonic`
        self.warnings = TokenBucket(*WARNINGS)
        self.total = 0  # connections ever
        self.failed = 0  # of them, those that the local server did not take
        self.last_byte_at: datetime | None = None
        self.rate_in = 0.0  # bytes a second
        self.rate_out = 0.0
        self._prefer = 0  # which of the target's addresses answered last
        self._visits: set[Visit] = set()
        self._past_in = 0
        self._past_out = 0
        self._sampled = (0, 0)
        self._sampled_at = monotonic()

    @property
    def is_final(self) -> bool:
        """Whether it is not asked for again."""
        return self.state in FINAL

    @property
    def connections(self) -> int:
        """Visitors at this moment."""
        return len(self._visits)

    @property
    def bytes(self) -> tuple[int, int]:
        """Bytes from visitors and to them, ever."""
        moved_in, moved_out = self._past_in, self._past_out
        for visit in self._visits:
            moved_in += visit.bytes_in
            moved_out += visit.bytes_out
        return moved_in, moved_out

    def become(self, state: State, problem: Problem | None = None) -> None:
        """Enter a state."""
        if state is not self.state:
            self.since = clock.now()
        self.state = state
        self.problem = problem
        if state is not State.OPENING:
            self.request = None
        if state is State.LIVE:
            self.retry = Backoff(REOPEN_FIRST_S, REOPEN_LONGEST_S)
        if state is not State.REFUSED:
            self.retry_at = None

    def ask_again_later(self) -> None:
        """After a refusal."""
        self.retry.failed()
        # Not less than half of the longest wait: a name that is taken stays so for a while.
        self.retry_at = monotonic() + (self.retry.ceiling + self.retry.delay()) / 2

    def addresses(self) -> list[str]:
        """The target's addresses, the one that answered last first."""
        known = self.target.addresses
        return [*known[self._prefer :], *known[: self._prefer]]

    def answered(self, address: str) -> None:
        """The local server was there."""
        self._prefer = self.target.addresses.index(address)

    def arrive(self, visit: Visit) -> None:
        """A visitor begins."""
        self.total += 1
        self._visits.add(visit)

    def leave(self, visit: Visit) -> None:
        """A visitor is done; harmless when said twice."""
        if visit in self._visits:
            self._visits.discard(visit)
            self._past_in += visit.bytes_in
            self._past_out += visit.bytes_out

    def cut(self) -> None:
        """End every visitor."""
        for visit in list(self._visits):
            visit.abort()

    def sample(self) -> None:
        """Measure the rates, and note whether a byte moved; once a second."""
        now, moved = monotonic(), self.bytes
        elapsed = max(now - self._sampled_at, 1e-3)
        keep = (1 - SMOOTHING) ** elapsed
        gained = moved[0] - self._sampled[0], moved[1] - self._sampled[1]
        self.rate_in = keep * self.rate_in + (1 - keep) * gained[0] / elapsed
        self.rate_out = keep * self.rate_out + (1 - keep) * gained[1] / elapsed
        if not any(gained):
            self.rate_in = self.rate_in if self.rate_in >= 1 else 0.0
            self.rate_out = self.rate_out if self.rate_out >= 1 else 0.0
        else:
            self.last_byte_at = clock.now()
        self._sampled, self._sampled_at = moved, now

    def view(self) -> dict[str, Any]:
        """For people and programs; the passcode stays here."""
        if any(self.bytes[side] != self._sampled[side] for side in (0, 1)):
            self.last_byte_at = clock.now()
        moved_in, moved_out = self.bytes
        return {
            "key": self.key,
            "kind": self.spec.kind.value,
            "target": self.spec.target,
            "state": self.state.value,
            "since": clock.to_text(self.since),
            "address": self.address,
            "name": self.name,
            "port": self.port,
            "id": self.id,
            "label": self.spec.label,
            "allow": list(self.spec.allow),
            "passcode": self.spec.passcode is not None,
            "host": self.spec.host,
            "connections": self.connections,
            "total": self.total,
            "failed": self.failed,
            "bytes_in": moved_in,
            "bytes_out": moved_out,
            "rate_in": round(self.rate_in),
            "rate_out": round(self.rate_out),
            "last_byte_at": None if self.last_byte_at is None else clock.to_text(self.last_byte_at),
            "problem": None if self.problem is None else self.problem.as_dict(),
        }
