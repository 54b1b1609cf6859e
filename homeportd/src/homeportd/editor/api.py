"""The routes of the editor."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from homeportd.auth.guard import Guard
from homeportd.editor.service import Editor
from homeportd.errors import Problem
from homeportd.http import problems
from homeportd.origin import EDITOR, Origin

FIX = "code_server_enabled: true in the inventory, then bin/site"


class EditorView(BaseModel):
    """The editor. `url` opens the folder of repos, or the repo that was asked for. `memory` is the bytes that it and
    what runs in its terminals use, null while it does not run; `failure` says why it does not."""

    state: Literal["off", "stopped", "starting", "running", "failed"]
    url: str | None
    memory: int | None
    failure: str | None


def router(
    editor: Editor | None, folder_of: Callable[[str], Path], guard: Guard, origin: Origin
) -> APIRouter:
    """The routes. `editor`: None where bin/site has installed none. `folder_of` a repo's id raises Problem 404."""
    routes = APIRouter(tags=["editor"])
    Folder = Annotated[str | None, Query(max_length=256, description="a repo's id")]

    async def view(found: Editor, repo: str | None) -> EditorView:
        folder = folder_of(repo) if repo is not None else None
        status = await found.status()
        return EditorView(
            state=status.state.value, url=found.address(folder), memory=status.memory, failure=status.failure
        )

    def installed() -> Editor:
        if editor is None:
            raise Problem(409, "there is no editor on this machine", FIX)
        return editor

    @routes.get("/api/editor", dependencies=[Depends(guard)], responses=problems(401, 404, 422))
    async def show_editor(repo: Folder = None) -> EditorView:
        """The editor's state, and the address that opens a repo, or the folder of repos."""
        return (
            EditorView(state="off", url=None, memory=None, failure=None)
            if editor is None
            else await view(editor, repo)
        )

    @routes.post(
        "/api/editor/start", dependencies=[Depends(guard)], responses=problems(401, 403, 404, 409, 422, 503)
    )
    async def start_editor(repo: Folder = None) -> EditorView:
        """Start the editor where it does not run, and answer when it does."""
        found = installed()
        await view(found, repo)
        await found.start()
        return await view(found, repo)

    @routes.post("/api/editor/stop", dependencies=[Depends(guard)], responses=problems(401, 403, 409))
    async def stop_editor() -> EditorView:
        """Stop the editor, with all that was started in its terminals."""
        await installed().stop()
        return await view(installed(), None)

    @routes.get("/code", include_in_schema=False)
    @routes.get("/code/{rest:path}", include_in_schema=False)
    async def redirect(request: Request, rest: str = "") -> RedirectResponse:
        """The editor's address in document 000, which leads to its own origin."""
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{origin.of_port(EDITOR)}/{quote(rest.lstrip('/'))}{query}", 307)

    return routes
