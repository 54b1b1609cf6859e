"""HTTP with limits for what a peer has begun and not finished: the protocol of every HTTP listener of the agent.

No request to the agent is large, so its head and body come at once or are somebody's who wants to hold a connection. A
listener holds no more connections than its part of the process's descriptors: then none of them runs out of those.
"""

from __future__ import annotations

import asyncio
import json
import resource
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from homeportd.networks import client_key_of

REQUEST_S: Final = 10.0  # for a head and its body to come, and for the first request of a connection to begin
# Bodies under way of one client (an IPv4 address, an IPv6 /64); the oldest gives way.
SLOW_A_CLIENT: Final = 16
OWN_DESCRIPTORS: Final = 64  # which listeners leave to the agent's own files, sockets and programs
FEWEST_CONNECTIONS: Final = 8  # of a listener
FULL_ANSWERED: Final = 16  # connections beyond a listener's, which are told so; further ones are cut


class LimitedConfig(uvicorn.Config):
    """A configuration whose connections know their listener's limits.

    `connections`: at one time. `client_header`: the name of the header in which the proxy ahead says the visitor's
    address, its last part.
    """

    def __init__(self, app: Any, *, connections: int, client_header: bytes, **options: Any) -> None:
        super().__init__(app, **options)
        self.connections = connections
        self.client_header = client_header
        # Whose bodies are under way, by client, oldest first.
        self.slow: dict[str, dict[LimitedProtocol, None]] = {}


def part_of_descriptors(part: float) -> int:
    """How many descriptors are `part` of those that this process may open, its own ones left out."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 1 << 20 if soft == resource.RLIM_INFINITY else soft
    return max(FEWEST_CONNECTIONS, int((most - OWN_DESCRIPTORS) * part))


def problem_response(status: int, detail: str, fix: str) -> bytes:
    """Problem details (RFC 9457) as a whole answer of HTTP/1.1, after which the connection closes."""
    content = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail, "fix": fix}
    body = json.dumps(content).encode() + b"\n"
    return (
        b"HTTP/1.1 %d %b\r\nContent-Type: application/problem+json\r\nCache-Control: no-store\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
        % (status, HTTPStatus(status).phrase.encode(), len(body), body)
    )


class LimitedProtocol(HttpToolsProtocol):
    """A class for uvicorn's `http=`, with a LimitedConfig."""

    def __init__(self, config: LimitedConfig, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        self._limits = config
        self._full = False  # there were enough connections when this one came
        self._receiving = True  # a request, or the first is awaited
        self._in_head = self._in_body = False
        self._client: str | None = None  # whose body is counted as under way
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request, unless there are enough connections."""
        super().connection_made(transport)
        excess = len(self.connections) - self._limits.connections
        self._full = excess > 0  # which is answered once there is a request
        if excess > FULL_ANSWERED:
            transport.abort()
            return
        self._limit()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request; one that is not whole then has a deadline."""
        if self.transport.is_closing():
            return
        if self._full:
            self._in_head = True
            self._refuse(503, "too many connections", "try again in a few seconds")
            return
        super().data_received(data)
        if self._receiving and not self.transport.is_closing():
            self._limit()

    def on_message_begin(self) -> None:
        """Note that a request has begun."""
        self._receiving = self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is there."""
        self._in_head, self._in_body = False, True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Note that the request is there."""
        self.received()
        super().on_message_complete()

    def received(self) -> None:
        """Lift the limits: the request is there."""
        self._receiving = self._in_head = self._in_body = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._client is not None:
            others = self._limits.slow[self._client]
            del others[self]
            if not others:
                del self._limits.slow[self._client]
            self._client = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Lift the limits."""
        self.received()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Lift the limits: what follows is no request."""
        self.received()
        super().handle_websocket_upgrade()

    def _limit(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(REQUEST_S, self._too_slow)
        if not self._in_body or self._client is not None:
            return
        self._client = client_key_of(self._said_client())
        slow = self._limits.slow.setdefault(self._client, {})
        slow[self] = None
        if len(slow) > SLOW_A_CLIENT:
            # Not this one: a request that is whole in a moment is to pass whatever else its client has begun.
            next(iter(slow)).give_way()

    def _said_client(self) -> str:
        wanted = self._limits.client_header
        values = [value for name, value in self.headers if name == wanted]
        return values[-1].rpartition(b",")[2].strip().decode("latin-1") if values else ""

    def give_way(self) -> None:
        """Refuse the request under way: its client has begun too many after it."""
        self._refuse(429, "too many requests of this address are under way", "finish one before the next")

    def _too_slow(self) -> None:
        self._refuse(408, f"the request did not come within {REQUEST_S:g} s", "send it at once")

    def _refuse(self, status: int, detail: str, fix: str) -> None:
        """Answer, unless an answer has begun, and close."""
        cycle = self.cycle
        if self._in_body:
            may_answer = cycle is not None and not cycle.response_started
        else:  # the cycle, if there is one, is that of the request before
            may_answer = self._in_head and (cycle is None or cycle.response_complete)
        self.received()
        if may_answer:
            self.transport.write(problem_response(status, detail, fix))
        self.transport.close()
