"""The gateway's answers about requests for the editor: the owner's alone, and the editor starts for them."""

from __future__ import annotations

from typing import Protocol

from homeportd.gateway import pages
from homeportd.gateway.answers import Answer, problem
from homeportd.gateway.authenticator import AuthResult
from homeportd.gateway.permission import permission
from homeportd.gateway.request import AuthRequest

_FIX = "its owner can have one: code_server_enabled: true in the inventory, then bin/site"


class Editor(Protocol):
    """What the gateway needs of `editor.service.Editor`."""

    @property
    def failure(self) -> str | None:
        """Why it does not run, as a phrase."""

    @property
    def state(self) -> str:
        """The state, as `wake` gives it."""

    def wake(self) -> str:
        """The state: `stopped`, `starting`, `running` or `failed`. A stopped editor begins to start."""


def answer(request: AuthRequest, result: AuthResult, editor: Editor | None) -> Answer:
    """The answer to an allowed request; a page that is asked for again until the editor runs."""
    if editor is None:
        return _message(request, 404, "there is no editor on this machine", _FIX)
    # A window that was left open asks to be connected again for ever; a person who opens a page starts the editor.
    state = editor.wake() if request.wants_page else editor.state
    if state == "running":
        return _pass(request, result)
    if state == "failed":
        detail = f"the editor does not start: {editor.failure}"
        return _message(request, 503, detail, "look at the agent's log, and ask again in ten seconds")
    return silent(request)


def silent(request: AuthRequest) -> Answer:
    """The answer while the editor starts, and where it has ended just now."""
    if request.wants_page:
        return pages.editor_starting()
    return problem(503, "the editor starts", "ask again in a second").add("retry-after", "1")


def _message(request: AuthRequest, status: int, detail: str, fix: str) -> Answer:
    if request.wants_page:
        return pages.message(status, f"{detail[0].upper()}{detail[1:]}", f"{fix[0].upper()}{fix[1:]}.", None)
    return problem(status, detail, fix)


def _pass(request: AuthRequest, result: AuthResult) -> Answer:
    """Let a request pass without Homeport's own cookies and tokens. A WebSocket takes the relay, which can end it."""
    headers = [
        (b"x-homeport-lane", b"relay" if request.upgrade else b"direct"),
        (b"x-homeport-grant", result.right.encode()),
    ]
    return permission(request, result, headers, request.origin)
