"""HTTP on the gateway's socket: uvicorn's protocol, with a fast path for questions that memory can answer.

Such a question is answered while its head is being parsed: one write, without a scope, a task and ASGI messages,
which is two thirds of the work. Every other request takes uvicorn's path.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from homeportd.gateway.answers import Answer
from homeportd.gateway.app import Gateway
from homeportd.http_protocol import LimitedProtocol

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _wire(answer: Answer) -> bytes:
    parts = [_LINES[answer.status]]
    for name, value in answer.headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(answer.body))
    return b"".join(parts) + answer.body


class FastPathProtocol(LimitedProtocol):
    """A class for uvicorn's `http=`. Raises TypeError unless the application is the gateway itself."""

    _answer: Answer | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        gateway = self.config.app
        if not isinstance(gateway, Gateway):
            raise TypeError("this protocol serves the gateway alone")
        self._gateway = gateway

    def on_headers_complete(self) -> None:
        """Take the fast path when no request is under way on this connection and memory has the answer."""
        idle = self.cycle is None or self.cycle.response_complete
        self._answer = self._gateway.answer_from_memory(self.headers) if idle else None
        if self._answer is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Drop the body of a question on the fast path, which has none of interest."""
        if self._answer is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Write the answer of the fast path."""
        if self._answer is None:
            super().on_message_complete()
            return
        self.received()
        answer, self._answer = self._answer, None
        self.transport.write(_wire(answer))
        self.server_state.total_requests += 1
        if not self.parser.should_keep_alive():
            self.transport.close()
