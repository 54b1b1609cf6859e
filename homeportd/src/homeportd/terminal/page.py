"""A page that shows a terminal: output to it, as fast as it shows it, and what is typed from it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from pydantic import ValidationError
from starlette.websockets import WebSocket

from homeportd.processes.model import TerminalSize
from homeportd.processes.service import Processes
from homeportd.terminal.model import REPLAY, End, OutputWindow, PageMessage, Resize, Shown

SEND_S: Final = 60.0  # a connection that takes nothing for so long is gone
DISCONNECT: Final = "websocket.disconnect"


class EndAsked(Exception):
    """The person closes the terminal."""


class Malformed(Exception):
    """The page sent what is no message."""


class Page:
    """One WebSocket that shows one terminal."""

    def __init__(self, websocket: WebSocket, processes: Processes, id: str, *, shown: int | None) -> None:
        self._websocket = websocket
        self._processes = processes
        self._id = id
        self._shown = shown
        self._window = OutputWindow(0)
        self._confirmed = asyncio.Event()

    async def serve(self) -> None:
        """Until the terminal or the connection ends. Raises EndAsked, Malformed."""
        first, end = await self._processes.bounds(self._id)
        process = self._processes.get(self._id)
        first = max(first, process.output_from if process is not None else 0)
        resumed = self._shown is not None and first <= self._shown <= end
        start = self._shown if resumed and self._shown is not None else max(first, end - REPLAY)
        self._window = OutputWindow(start)
        await self._send_text({"type": "hello", "terminal": self._id, "offset": start, "resumed": resumed})
        receiver = asyncio.create_task(self._receive(), name="typed into a terminal")
        sender = asyncio.create_task(self._send(start), name="output of a terminal")
        try:
            await asyncio.wait((receiver, sender), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (receiver, sender):
                task.cancel()
            results = await asyncio.gather(receiver, sender, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _send(self, start: int) -> None:
        async for chunk in self._processes.output(self._id, start):
            if chunk.offset != self._window.sent:
                self._window.skip_to(chunk.offset)
                await self._send_text({"type": "skip", "offset": chunk.offset})
            async with asyncio.timeout(SEND_S):
                await self._websocket.send_bytes(chunk.data)
            self._window.sent = chunk.end
            while not self._window.open:
                self._confirmed.clear()
                await self._confirmed.wait()
        process = self._processes.get(self._id)
        exit = process.exit if process is not None else None
        ended = (
            {"code": exit.code, "signal": exit.signal} if exit is not None else {"code": None, "signal": None}
        )
        await self._send_text({"type": "ended", **ended})

    async def _receive(self) -> None:
        while True:
            message = await self._websocket.receive()
            if message["type"] == DISCONNECT:
                return
            typed = message.get("bytes")
            if typed is not None:
                await self._processes.write(self._id, typed)
            else:
                self._obey(message.get("text") or "")

    def _obey(self, text: str) -> None:
        try:
            found = PageMessage.model_validate_json(f'{{"message": {text}}}').message
        except ValidationError as error:
            raise Malformed(str(error.errors()[0]["msg"])) from None
        match found:
            case Resize():
                self._processes.resize(self._id, TerminalSize(found.columns, found.rows))
            case Shown():
                self._window.confirm(found.offset)
                self._confirmed.set()
            case End():
                raise EndAsked

    async def _send_text(self, message: dict[str, Any]) -> None:
        async with asyncio.timeout(SEND_S):
            await self._websocket.send_json(message)
