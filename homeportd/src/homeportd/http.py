"""HTTP as the whole API speaks it: problem bodies (RFC 9457), limits, headers."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeportd.problems import Problem

MAX_BODY = 64 * 1024  # bytes of a request to the API
PROBLEM = "application/problem+json"

_FIXES = {
    404: "GET /api/openapi.json lists every address",
    405: "GET /api/openapi.json lists the methods of every address",
}


class ProblemBody(BaseModel):
    """What went wrong, and what to do about it."""

    title: str
    status: int
    detail: str
    fix: str


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer these problems."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": schema}}}
        for status in statuses
    }


def problem_response(
    status: int, detail: str, fix: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """One problem as a response."""
    body = ProblemBody(title=HTTPStatus(status).phrase, status=status, detail=detail, fix=fix)
    return JSONResponse(body.model_dump(), status, headers, PROBLEM)


def _sentence(item: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path"))
    return f"{place}: {item['msg']}" if place else str(item["msg"])


def answer_problems(app: FastAPI) -> None:
    """Make every refusal of this application a problem body."""

    async def problem(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - registered for it alone
        headers = {"WWW-Authenticate": 'Bearer realm="Homeport"'} if error.status == 401 else None
        return problem_response(error.status, error.detail, error.fix, headers)

    async def malformed(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        detail = "; ".join(_sentence(item) for item in error.errors()[:10])
        return problem_response(422, detail, "correct these fields; GET /api/openapi.json describes them")

    async def refused(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        headers = dict(error.headers) if error.headers else None
        fix = _FIXES.get(error.status_code, "correct the request")
        return problem_response(error.status_code, str(error.detail), fix, headers)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, refused)


class BodyLimit:
    """Answers 413 to a request body above MAX_BODY, declared or not; holds smaller ones in memory."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body."""
        names = dict(scope["headers"]) if scope["type"] == "http" else {}
        if not names.keys() & {b"content-length", b"transfer-encoding"}:
            await self._app(scope, receive, send)
            return
        declared = names.get(b"content-length", b"0")
        body = b"" if declared.isdigit() and int(declared) <= MAX_BODY else None
        while body is not None:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                body = None
            elif not message.get("more_body"):
                break
        if body is None:
            refusal = problem_response(413, f"the request body is larger than {MAX_BODY} bytes", "send less")
            await refusal(scope, receive, send)
            return
        whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)
