"""HTTP on the gateway's socket: uvicorn's, with a short cut for what is asked before every request.

A question that memory can answer is answered while its head is being read: one write, without a scope, a task and
messages. That spares it a third of the work. Everything else goes uvicorn's way.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from homeportd.gateway.answers import Answer
from homeportd.gateway.app import Gateway

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


def _wire(answer: Answer) -> bytes:
    parts = [_LINES[answer.status]]
    for name, value in answer.headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"content-length: %d\r\n\r\n" % len(answer.body))
    return b"".join(parts) + answer.body


class FastPathProtocol(HttpToolsProtocol):
    """For uvicorn's `http=`; the application must be the gateway itself."""

    _answer: Answer | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        gateway = self.config.app
        if not isinstance(gateway, Gateway):
            raise TypeError("this protocol serves the gateway alone")
        self._gateway = gateway

    def on_headers_complete(self) -> None:
        """Answer now, if nothing else is under way on this connection and memory will do."""
        idle = self.cycle is None or self.cycle.response_complete
        self._answer = self._gateway.at_once(self.headers) if idle else None
        if self._answer is None:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A question has none; what comes is dropped."""
        if self._answer is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Write the answer."""
        if self._answer is None:
            super().on_message_complete()
            return
        answer, self._answer = self._answer, None
        self.transport.write(_wire(answer))
        self.server_state.total_requests += 1
        if not self.parser.should_keep_alive():
            self.transport.close()
