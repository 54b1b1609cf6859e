"""`/api/proxy`: dev servers by way of the API, for scripts that hold a token. Caddy proxies it and asks the gateway.
And the advice on what a dev server should be told as its name."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel

from homeportd.auth.guard import Guard
from homeportd.errors import Problem
from homeportd.gateway.host_advice import look
from homeportd.http import problems
from homeportd.origin import Origin
from homeportd.ports.model import Program

METHODS = ("get", "post", "put", "patch", "delete")


class HostAdviceView(BaseModel):
    """What a look at the page of a port found.

    `local_urls`: addresses such as http://localhost:5173 in it, None where there was no page to look at. `suggestion`:
    the `host_header` of a share with which the page has its public address instead.
    """

    local_urls: int | None
    suggestion: Literal["keep"] | None


def router(find: Callable[[int], Program | None], guard: Guard, origin: Origin) -> APIRouter:
    """The routes that describe what Caddy does with /api/proxy; a request that gets here did not come through Caddy.
    `find`: the program that the owner is led to on a port, while there is one."""
    routes = APIRouter(tags=["ports"])

    @routes.get("/api/ports/{port}/host-header", dependencies=[Depends(guard)], responses=problems(401, 422))
    async def advise_host_header(port: Annotated[int, Path(ge=1, le=65535)]) -> HostAdviceView:
        """Ask the port for its page, by localhost, and where that is full of such addresses, by its public name."""
        found = find(port)
        if found is None:
            return HostAdviceView(local_urls=None, suggestion=None)
        advice = await look(found.upstream, port, origin.of_port(port))
        return HostAdviceView(local_urls=advice.local_urls, suggestion=advice.suggestion)

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
