"""`/api/events`: the log of events over a WebSocket, resumable, ended when its caller loses the right."""

import asyncio
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, WebSocket
from pydantic import BaseModel
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
CLOSE_S = 2  # for one that is told so


class Missed(BaseModel):
    """Events since a place in the log; `resumed` false: the log no longer reaches back, so read everything anew."""

    epoch: str
    id: int
    resumed: bool
    events: list[dict[str, Any]]


def router(events: Events, auth: Auth, guard: Guard) -> APIRouter:
    """The one address of events."""
    routes = APIRouter(tags=["events"])
    live: dict[asyncio.Task[None], Caller] = {}

    def end_revoked() -> None:
        for task, caller in live.items():
            if not alive(auth, caller):
                task.cancel("revoked")

    auth.revoked.subscribe(end_revoked)

    @routes.get("/api/events", responses=problems(401, 422))
    async def read_events(
        _caller: Annotated[Caller, Depends(guard)], since: Annotated[str, Query(max_length=64)] = ""
    ) -> Missed:
        """What happened since `<epoch>:<id>`, for those who ask now and then.

        The same address as a WebSocket tells as things happen: messages `{"id", "type", "data"}`, the first
        of type `hello` with `epoch`, `id` and `resumed`.
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
        live[sender] = caller
        if not alive(auth, caller):  # it ended while the watcher was being let in
            sender.cancel("revoked")
        try:
            with contextlib.suppress(WebSocketDisconnect):
                receiver = asyncio.create_task(_until_closed(websocket))
                await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
                receiver.cancel()
                await asyncio.gather(receiver, return_exceptions=True)
        finally:
            del live[sender]
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
    await _tell(websocket, Event(None, "hello", hello))
    for event in watcher.missed:
        await _tell(websocket, event)
    while (happened := await watcher.next()) is not None:
        await _tell(websocket, happened)


async def _tell(websocket: WebSocket, event: Event) -> None:
    async with asyncio.timeout(SEND_S):
        await websocket.send_json(event.message())


async def _until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass  # a watcher has nothing to say
