"""`/api/proxy`: dev servers by way of the API, for scripts that hold a token. Caddy proxies it and asks the gateway."""

from typing import Annotated, Any

from fastapi import APIRouter, Path

from homeportd.errors import Problem
from homeportd.http import problems

METHODS = ("get", "post", "put", "patch", "delete")


def router() -> APIRouter:
    """The routes that describe what Caddy does with /api/proxy; a request that gets here did not come through Caddy."""
    routes = APIRouter(tags=["ports"])
    anything: dict[int | str, dict[str, Any]] = {
        "default": {"description": "What the dev server answers", "content": {"*/*": {}}}
    }

    async def proxy(port: Annotated[int, Path(ge=1, le=65535)], path: str) -> None:
        """Proxy a request to a port of this machine; a bearer token is the only proof accepted.

        The answer comes with `Content-Security-Policy: sandbox` and without cookies, since it stands on the
        dashboard's origin.
        """
        raise Problem(
            421,
            f"port {port} is reached through Caddy only",
            f"send this for /{path} to the dashboard's address",
        )

    for method in METHODS:
        routes.add_api_route(
            "/api/proxy/{port}/{path:path}",
            proxy,
            methods=[method],
            operation_id=f"proxy_{method}",
            status_code=200,
            response_model=None,
            responses={**problems(401, 404, 421, 422, 502, 503), **anything},
        )
    return routes
