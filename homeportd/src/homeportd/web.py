"""The FastAPI application of the agent: the API of all systems, and the dashboard."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from homeportd import __version__
from homeportd.http import BodyLimit, ProblemBody, answer_problems

STATIC = Path(__file__).parent / "static"


class Dashboard(StaticFiles):
    """The built dashboard; names of assets carry a hash of their content, so they may be kept for ever."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file, with how long it may be kept."""
        response = await super().get_response(path, scope)
        kept = "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache"
        response.headers["Cache-Control"] = kept
        return response


def application(routers: Sequence[APIRouter]) -> FastAPI:
    """The application with these routers, and the dashboard where it was built."""
    app = FastAPI(
        title="Homeport",
        version=__version__,
        description="The dev servers of a machine. Errors are RFC 9457 problem details with a `fix`.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    answer_problems(app, routers)
    app.add_middleware(BodyLimit)
    for router in routers:
        app.include_router(router)
    _describe(app)
    if STATIC.is_dir():
        app.mount("/", Dashboard(directory=STATIC, html=True))
    else:
        app.add_route("/", _not_built)
    return app


async def _not_built(_request: object) -> Response:
    return PlainTextResponse(
        "The dashboard was not built into this wheel. Fix: build it with bin/site.\n", 503
    )


def _describe(app: FastAPI) -> None:
    make = app.openapi

    def document() -> dict[str, object]:
        schema = make()
        components = schema.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["ProblemBody"] = ProblemBody.model_json_schema()
        # FastAPI's own shape of a 422 is never sent.
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "homeport token create NAME"},
        }
        schema["security"] = [{"token": []}]
        return schema

    app.openapi = document  # type: ignore[method-assign]
