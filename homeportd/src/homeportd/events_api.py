"""`/api/events`: the log of events over a WebSocket, resumable, ended when its caller loses the right."""

import asyncio
import contextlib
import functools
import operator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, WebSocket
from pydantic import BaseModel, GetJsonSchemaHandler, RootModel, TypeAdapter, create_model
from pydantic_core import CoreSchema
from starlette.websockets import WebSocketDisconnect

from homeportd.auth.guard import Guard, alive
from homeportd.auth.model import Caller
from homeportd.auth.service import Auth
from homeportd.errors import Problem
from homeportd.events import Event, Events, TooManyWatchers, Watcher
from homeportd.http import problem_response, problems

CLOSED_LAGGING = 4008
CLOSED_REVOKED = 4001
CLOSED_STOPPING = 1012
SEND_S = 20  # a watcher that takes nothing for so long is gone
CLOSE_S = 2  # for the close frame of a watcher that is ended


class HelloView(BaseModel):
    """Data of the first message over a WebSocket: the newest event's `id`, and whether what was missed follows."""

    epoch: str
    id: int
    resumed: bool


_MESSAGE = "An event as it is sent. Those without an `id` show the present and are never replayed."


class _EventMessage:
    """JSON schema of one message: a union over the event types that the rooms have declared when it is asked for."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        union: Any = functools.reduce(
            operator.or_, (_message(kind, view) for kind, view in sorted(self._events.views.items()))
        )
        message = create_model("EventMessage", __base__=RootModel, __doc__=_MESSAGE, root=(union, ...))
        return handler(TypeAdapter(message).core_schema)


def _message(kind: str, view: type[BaseModel]) -> Any:
    literal: Any = Literal[kind]
    name = "".join(word.capitalize() for word in kind.split(".")) + "Event"
    return create_model(name, id=(int | None, ...), type=(literal, ...), data=(view, ...))


def router(events: Events, auth: Auth, guard: Guard) -> APIRouter:
    """The route /api/events, for GET and for a WebSocket."""
    events.declare({"hello": HelloView})
    Message = Annotated[dict[str, Any], _EventMessage(events)]

    class Missed(BaseModel):
        """Events after an id; `resumed` false: the log does not reach back so far, so read everything anew."""

        epoch: str
        id: int
        resumed: bool
        events: list[Message]

    routes = APIRouter(tags=["events"])
    watches: dict[asyncio.Task[None], Caller] = {}

    def end_revoked() -> None:
        for task, caller in watches.items():
            if not alive(auth, caller):
                task.cancel("revoked")

    auth.revoked.subscribe(end_revoked)

    @routes.get("/api/events", responses=problems(401, 422))
    async def read_events(
        _caller: Annotated[Caller, Depends(guard)], since: Annotated[str, Query(max_length=64)] = ""
    ) -> Missed:
        """Events after `<epoch>:<id>`, for clients that poll.

        The same address as a WebSocket sends each event as it happens, as a message of the same shape. The first
        message is of type `hello`; those without an `id` show the present and are never replayed.
        """
        with events.watch(since) as watcher:
            return Missed(
                epoch=watcher.epoch,
                id=watcher.last_id,
                resumed=watcher.resumed,
                events=[event.message() for event in watcher.missed],
            )

    @routes.websocket("/api/events")
    async def watch(websocket: WebSocket, since: str = "") -> None:
        try:
            caller = await guard(websocket)
            with events.watch(since) as watcher:
                await websocket.accept()
                await _serve(websocket, watcher, caller)
        except Problem as problem:
            await websocket.send_denial_response(
                problem_response(problem.status, problem.detail, problem.fix)
            )
        except TooManyWatchers:
            await websocket.send_denial_response(
                problem_response(503, "too many watchers", "close another dashboard")
            )

    async def _serve(websocket: WebSocket, watcher: Watcher, caller: Caller) -> None:
        sender = asyncio.create_task(_send(websocket, watcher), name="events")
        watches[sender] = caller
        if not alive(auth, caller):  # the caller's right ended while the connection was accepted
            sender.cancel("revoked")
        try:
            with contextlib.suppress(WebSocketDisconnect):
                receiver = asyncio.create_task(_until_closed(websocket))
                await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
                receiver.cancel()
                await asyncio.gather(receiver, return_exceptions=True)
        finally:
            del watches[sender]
            revoked = sender.cancelled()
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            code = CLOSED_REVOKED if revoked else CLOSED_LAGGING if watcher.lagging else CLOSED_STOPPING
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await websocket.close(code)

    return routes


async def _send(websocket: WebSocket, watcher: Watcher) -> None:
    hello = {"epoch": watcher.epoch, "id": watcher.last_id, "resumed": watcher.resumed}
    await _send_event(websocket, Event(None, "hello", hello))
    for event in watcher.missed:
        await _send_event(websocket, event)
    while (happened := await watcher.next()) is not None:
        await _send_event(websocket, happened)


async def _send_event(websocket: WebSocket, event: Event) -> None:
    async with asyncio.timeout(SEND_S):
        await websocket.send_json(event.message())


async def _until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass  # a dashboard sends nothing that matters
