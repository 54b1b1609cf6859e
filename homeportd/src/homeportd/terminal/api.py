"""The routes of terminals: the WebSocket of one, the list of a repo's, the end of one."""

import asyncio
import contextlib
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, WebSocket
from starlette.websockets import WebSocketDisconnect

from homeportd.auth.guard import Guard, alive
from homeportd.auth.model import Caller
from homeportd.auth.service import Auth
from homeportd.errors import Problem
from homeportd.http import problem_response, problems
from homeportd.processes.model import TerminalSize
from homeportd.processes.service import Processes
from homeportd.repos.service import Repos
from homeportd.terminal.model import Side
from homeportd.terminal.page import EndAsked, Malformed, Page
from homeportd.terminal.service import Terminals
from homeportd.terminal.view import TerminalView, terminal_view

CLOSED: Final = 1000  # the terminal has ended
CLOSED_REVOKED: Final = 4001
CLOSED_MALFORMED: Final = 4002
CLOSED_STOPPING: Final = 1012  # connect again: the terminal is open still
CLOSE_S: Final = 2


def router(terminals: Terminals, processes: Processes, repos: Repos, auth: Auth, guard: Guard) -> APIRouter:
    """The routes of this room."""
    routes = APIRouter(tags=["terminals"])
    pages: dict[asyncio.Task[None], Caller] = {}

    def end_revoked() -> None:
        for task, caller in pages.items():
            if not alive(auth, caller):
                task.cancel("revoked")

    auth.revoked.subscribe(end_revoked)

    @routes.get("/api/repos/{id}/terminals", responses=problems(401, 404, 422))
    async def list_terminals(id: str, _caller: Annotated[Caller, Depends(guard)]) -> list[TerminalView]:
        """The open terminals of a repo.

        The address `/api/repos/{id}/terminal` as a WebSocket is one: a new one, or with `?terminal=` one that is
        open. Binary messages are output and what is typed. The first message is `hello` with the `offset` at which
        the output begins; a page says `shown` with the offset that it has shown, `resize`, or `end`. With
        `?terminal=…&shown=<offset>` the output goes on there, as far back as it is kept.
        """
        return [terminal_view(each) for each in terminals.of(repos.get(id))]

    @routes.delete(
        "/api/repos/{id}/terminals/{terminal}", status_code=204, responses=problems(401, 403, 404, 422)
    )
    async def end_terminal(id: str, terminal: str, _caller: Annotated[Caller, Depends(guard)]) -> None:
        """End a terminal with everything that runs in it."""
        await terminals.end(terminals.get(repos.get(id), terminal).id)

    @routes.websocket("/api/repos/{id}/terminal")
    async def attach(
        websocket: WebSocket,
        id: str,
        terminal: Annotated[str, Query(max_length=80)] = "",
        shown: Annotated[int | None, Query(ge=0)] = None,
        columns: Side = 80,
        rows: Side = 24,
    ) -> None:
        size = TerminalSize(columns, rows)
        try:
            caller = await guard(websocket)
            repo = repos.get(id)
            if terminal:
                process = terminals.get(repo, terminal)
                processes.resize(process.id, size)
            else:
                process = await terminals.open(repo, size)
        except Problem as problem:
            await websocket.send_denial_response(
                problem_response(problem.status, problem.detail, problem.fix)
            )
            return
        await websocket.accept()
        page = Page(websocket, processes, process.id, shown=shown)
        task = asyncio.create_task(page.serve(), name=f"page of {process.id}")
        pages[task] = caller
        terminals.seen(process.id, by=1)
        if not alive(auth, caller):
            task.cancel("revoked")
        try:
            await asyncio.wait((task,))
        finally:
            del pages[task]
            terminals.seen(process.id, by=-1)
            stopping = not task.done()
            task.cancel()
            [result] = await asyncio.gather(task, return_exceptions=True)
            if isinstance(result, EndAsked):
                with contextlib.suppress(Problem):
                    await terminals.end(process.id)
            code = CLOSED_STOPPING if stopping else _code(result)
            with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await websocket.close(code)

    return routes


def _code(result: BaseException | None) -> int:
    if isinstance(result, asyncio.CancelledError):
        return CLOSED_REVOKED
    if isinstance(result, Malformed):
        return CLOSED_MALFORMED
    return CLOSED
