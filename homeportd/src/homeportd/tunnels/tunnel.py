"""A tunnel of this client: its state at the edge, and the bytes that move through it."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Final, Literal, Protocol

from homeportd import clock
from homeportd.token_bucket import TokenBucket
from homeportd.tunnels.address import Target, is_loopback
from homeportd.tunnels.backoff import Backoff
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.http.messages import Exchange
from homeportd.tunnels.http.names import DEFAULT_PORTS, LocalNames, Url
from homeportd.tunnels.model import FINAL, State, TunnelSpec
from homeportd.tunnels.resolver import is_own_address
from homeportd.tunnels.status import TunnelStatus

REOPEN_FIRST_S: Final = 1.0  # seconds after which a refused tunnel is asked for again, at first
REOPEN_LONGEST_S: Final = 60.0
SMOOTHING: Final = 0.5  # weight of the last second in a rate
WARNINGS: Final = (5, 0.1)  # in the log, about visitors of one tunnel: burst, and rate a second

Speaks = Literal["http", "https", "h2c", "other"]

_log = logging.getLogger(__name__)


class VisitorConnection(Protocol):
    """The connection of one visitor: a stream of the edge joined with a socket."""

    @property
    def bytes_in(self) -> int:
        """Bytes from the visitor."""

    @property
    def bytes_out(self) -> int:
        """Bytes to the visitor."""

    def abort(self) -> None:
        """End the connection abruptly."""


class Tunnel:
    """A tunnel. Its state is changed by its `Negotiation` alone; connections are added and removed by themselves."""

    def __init__(self, key: str, spec: TunnelSpec) -> None:
        self.key = key  # within this client
        self.spec = spec
        self.target = Target.parse(spec.target)
        # What the local server speaks, where the target does not say it.
        self.recognised: Speaks | None = None
        self.server_problem: TunnelError | None = None  # why its visitors get no answer of it
        self.changed: Callable[[], None] = lambda: None
        self.reopen: Callable[[], None] = lambda: (
            None
        )  # request the tunnel again, with what the server speaks
        self.state = State.OFFLINE
        self.error: TunnelError | None = None
        self.id: str | None = None  # of the edge, once it is open
        self.address: str | None = None
        self.name: str | None = spec.name
        self.port: int | None = spec.port
        self.subdomains = False  # whether the edge leads names below its own here
        self.since: datetime = clock.now()  # of the present state
        self.request: int | None = None  # number of an `open` that is not answered yet
        self.retry = Backoff(REOPEN_FIRST_S, REOPEN_LONGEST_S)
        self.retry_at: float | None = None  # by `monotonic`: when it is requested again
        self.warnings = TokenBucket(*WARNINGS)
        self.total = 0  # connections ever
        self.failed = 0  # of them, those that the local server did not take
        self.last_byte_at: datetime | None = None
        self.rate_in = 0.0  # bytes a second
        self.rate_out = 0.0
        self._preferred = 0  # index of the target's address that answered last
        self._connections: set[VisitorConnection] = set()
        self._closed_bytes_in = 0
        self._closed_bytes_out = 0
        self._sampled = (0, 0)
        self._sampled_at = monotonic()

    @property
    def is_final(self) -> bool:
        """Whether the tunnel has ended for good: it is not requested again."""
        return self.state in FINAL

    @property
    def connections(self) -> int:
        """Number of present connections."""
        return len(self._connections)

    @property
    def bytes(self) -> tuple[int, int]:
        """Bytes from visitors and to them, ever."""
        moved_in, moved_out = self._closed_bytes_in, self._closed_bytes_out
        for connection in self._connections:
            moved_in += connection.bytes_in
            moved_out += connection.bytes_out
        return moved_in, moved_out

    def enter(self, state: State, error: TunnelError | None = None) -> None:
        """Enter a state, with the error that led there."""
        if state is not self.state:
            self.since = clock.now()
        self.state = state
        self.error = error
        if state is not State.OPENING:
            self.request = None
        if state is State.LIVE:
            self.retry = Backoff(REOPEN_FIRST_S, REOPEN_LONGEST_S)
        if state is not State.REFUSED:
            self.retry_at = None

    def schedule_retry(self) -> None:
        """Set the time at which a refused tunnel is requested again."""
        self.retry.failed()
        # Half of the longest wait at least: a name that is taken stays taken for a while.
        self.retry_at = monotonic() + (self.retry.ceiling + self.retry.delay()) / 2

    def addresses(self) -> list[str]:
        """The target's addresses, the one that answered last first."""
        known = self.target.addresses
        return [*known[self._preferred :], *known[: self._preferred]]

    def prefer(self, address: str) -> None:
        """Dial this one of the target's addresses first: the local server answered there."""
        self._preferred = self.target.addresses.index(address)
        if self.target.scheme is not None:
            self.set_server_problem(None)

    @property
    def speaks(self) -> Speaks | None:
        """What the local server of an HTTP tunnel speaks, as far as it is known."""
        return self.target.scheme or self.recognised

    def recognise(self, speaks: Speaks) -> None:
        """Note what the local server speaks, since it has answered."""
        before, self.recognised = self.recognised, speaks
        self.set_server_problem(_not_http(self.target) if speaks == "other" else None)
        if before != speaks:
            _log.info("%s speaks %s", self.target, speaks)
            if "h2c" in (before, speaks):
                self.reopen()

    def dial_failed(self, error: OSError) -> None:
        """Note why the local server could not be dialled."""
        if not isinstance(error, ssl.SSLError):
            return  # it does not run: the next visitor tries again
        self.recognised = None
        if self.target.scheme is not None or isinstance(error, ssl.SSLCertVerificationError):
            self.set_server_problem(_no_tls(self.target, error))

    def set_server_problem(self, problem: TunnelError | None) -> None:
        """Set, or clear, why visitors get no answer of the local server."""
        before, self.server_problem = self.server_problem, problem
        if str(before) != str(problem):
            self.changed()

    def exchange(self) -> Exchange:
        """The rewriting of the messages on one connection of an HTTP tunnel."""
        scheme, _, _ = (self.address or "").partition("://")
        target = self.target
        names = LocalNames(
            target.host,
            target.port,
            self.spec.host,
            is_own_address if is_loopback(target.host) else lambda _address: False,
            "https" if self.speaks == "https" else "http",
            Url.parse(self.address) if self.subdomains and self.address else None,
        )
        return Exchange(names, scheme if scheme in DEFAULT_PORTS else "http")

    def add(self, connection: VisitorConnection) -> None:
        """Count a connection that begins."""
        self.total += 1
        self._connections.add(connection)

    def remove(self, connection: VisitorConnection) -> None:
        """Keep the bytes of a connection that has ended; a second call does nothing."""
        if connection in self._connections:
            self._connections.discard(connection)
            self._closed_bytes_in += connection.bytes_in
            self._closed_bytes_out += connection.bytes_out

    def abort_connections(self) -> None:
        """End every connection abruptly."""
        for connection in list(self._connections):
            connection.abort()

    def sample(self) -> None:
        """Measure the rates and the time of the last byte; called once a second."""
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

    def status(self) -> TunnelStatus:
        """The tunnel for people and programs, without its passcode."""
        if any(self.bytes[side] != self._sampled[side] for side in (0, 1)):
            self.last_byte_at = clock.now()
        moved_in, moved_out = self.bytes
        problem = self.error or self.server_problem
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
            "proxy_protocol": self.spec.proxy_protocol,
            "connections": self.connections,
            "total": self.total,
            "failed": self.failed,
            "bytes_in": moved_in,
            "bytes_out": moved_out,
            "rate_in": round(self.rate_in),
            "rate_out": round(self.rate_out),
            "last_byte_at": clock.to_text(self.last_byte_at),
            "problem": None if problem is None else problem.as_dict(),
        }


def _not_http(target: Target) -> TunnelError:
    return TunnelError(
        Reason.REQUEST, f"the server on {target.netloc} speaks no HTTP", f"homeport tcp {target.netloc}"
    )


def _no_tls(target: Target, error: ssl.SSLError) -> TunnelError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TunnelError(
            Reason.REQUEST,
            f"the certificate of {target.netloc} is not trusted: {error.verify_message}",
            "let this machine trust the authority that signed it, or name the server as the certificate does",
        )
    return TunnelError(
        Reason.REQUEST,
        f"the server on {target.netloc} does not speak TLS ({error.reason or error.strerror})",
        f"homeport http {target.netloc}, without https://",
    )
