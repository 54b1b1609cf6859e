"""HTTP as the whole API speaks it: problem bodies (RFC 9457), limits, headers."""

import logging
import sqlite3
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeportd.errors import Problem

MAX_BODY = 64 * 1024  # bytes of a request to the API
PROBLEM = "application/problem+json"

_log = logging.getLogger(__name__)

_FIXES = {
    404: "GET /api/openapi.json lists every address",
    405: "GET /api/openapi.json lists the methods of every address",
}


class ProblemBody(BaseModel):
    """Problem details (RFC 9457): what went wrong, and the next step."""

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
    """A problem as a response."""
    body = ProblemBody(title=HTTPStatus(status).phrase, status=status, detail=detail, fix=fix)
    return JSONResponse(body.model_dump(), status, headers, PROBLEM)


def _sentence(item: dict[str, Any]) -> str:
    if item["type"] == "json_invalid":
        return f"the body is not JSON: {item['ctx']['error']}, at character {item['loc'][-1]}"
    if item["type"] == "model_attributes_type" and item["loc"] == ("body",):
        return "the body is not a JSON object, or not sent as Content-Type: application/json"
    said = str(item["msg"]).removeprefix("Value error, ")
    field = ".".join(str(part) for part in item["loc"] if part not in ("body", "query", "path"))
    return f"{field}: {said}" if field else said


def answer_problems(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Make every refusal of this application, which has these routers, a problem body."""

    async def problem(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)  # noqa: S101 - registered for it alone
        headers = {"WWW-Authenticate": 'Bearer realm="Homeport"'} if error.status == 401 else None
        return problem_response(error.status, error.detail, error.fix, headers)

    async def malformed(_request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        detail = "; ".join(_sentence(item) for item in error.errors()[:10])
        return problem_response(422, detail, "correct these fields; GET /api/openapi.json describes them")

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)  # noqa: S101
        status, detail, headers = error.status_code, str(error.detail), {**(error.headers or {})}
        methods = _methods(routers, request.url.path)
        # The dashboard's files lie below the API: what one of its addresses does not do is not "not found".
        if status == 405 or (status == 404 and methods and request.method not in methods):
            status, detail = 405, HTTPStatus.METHOD_NOT_ALLOWED.phrase
            headers["Allow"] = ", ".join(sorted(methods)) or "GET, HEAD"
        return problem_response(status, detail, _FIXES.get(status, "correct the request"), headers)

    async def unwritten(_request: Request, error: Exception) -> JSONResponse:
        _log.error("the database cannot be used: %s", error)
        fix = "make room on the disk of data_dir; then try again"
        return problem_response(503, f"the agent's database cannot be used: {error}", fix)

    app.add_exception_handler(Problem, problem)
    app.add_exception_handler(sqlite3.OperationalError, unwritten)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, refused)


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is wanted, not a truth value")  # pydantic takes no TypeError
    return value


NoBool = BeforeValidator(_no_bool)
"""For an integer of a request body, last among its annotations; pydantic alone would take `true` for 1."""


_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_NETWORK: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": rf"^{_OCTET}(\.{_OCTET}){{3}}(/(3[0-2]|[12]?[0-9]))?$"},
        {"type": "string", "format": "ipv6"},
        {
            "type": "string",
            "pattern": r"^[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4}){7}/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$",
        },
    ],
    "description": "an address or a CIDR; host bits are taken for zero",
}
NetworkText = Annotated[str, Field(max_length=64), WithJsonSchema(_NETWORK)]
"""A network of an allowlist as text: the schema says what it can, so that a client finds most mistakes by itself."""


def _methods(routers: Sequence[APIRouter], path: str) -> set[str]:
    """Every method of this address; Starlette alone would name those of the first route that has it."""
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}


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
            if message["type"] != "http.request":
                return  # gone: half of a body is none
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
