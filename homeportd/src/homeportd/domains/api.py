"""The API of people's own domains."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from homeportd.auth.guard import Guard
from homeportd.domains.model import Mapping
from homeportd.domains.service import Domains
from homeportd.domains.settings import DomainsSettings
from homeportd.domains.view import DomainView, domain_view
from homeportd.http import problems

# What the schema can say of a domain; one of another script, or with a dot at its end, is taken as well.
_DOMAIN: dict[str, Any] = {
    "type": "string",
    "pattern": "^([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){1,3}[A-Za-z]{2,24}$",
}
DomainText = Annotated[str, WithJsonSchema(_DOMAIN)]
DomainName = Annotated[DomainText, Path(max_length=1024)]  # as a person types it


class DomainBody(BaseModel):
    """A domain, and the reserved HTTP name that it shall lead to."""

    model_config = ConfigDict(extra="forbid")

    domain: Annotated[DomainText, Field(min_length=1, max_length=1024)]
    name: Annotated[str, Field(min_length=1, max_length=63)]


def router(domains: Domains, settings: DomainsSettings, guard: Guard) -> APIRouter:
    """The routes under /api/domains."""
    routes = APIRouter(tags=["domains"], dependencies=[Depends(guard)])

    def shown(mapping: Mapping) -> DomainView:
        return domain_view(mapping, domains, settings)

    @routes.get("/api/domains", responses=problems(401))
    async def list_domains() -> list[DomainView]:
        return [shown(mapping) for mapping in domains.all()]

    @routes.post("/api/domains", status_code=201, responses=problems(400, 401, 403, 404, 409, 413, 422))
    async def add_domain(body: DomainBody) -> DomainView:
        """Map a domain to a name; the answer has the DNS record to make."""
        return shown(await domains.add(body.domain, body.name))

    @routes.get("/api/domains/{domain}", responses=problems(401, 404, 422))
    async def read_domain(domain: DomainName) -> DomainView:
        return shown(domains.get(domain))

    @routes.post("/api/domains/{domain}/check", responses=problems(401, 403, 404, 422))
    async def check_domain(domain: DomainName) -> DomainView:
        """Check DNS and the certificate now; ask for a refused certificate again."""
        return shown(await domains.check(domain))

    @routes.delete("/api/domains/{domain}", status_code=204, responses=problems(401, 403, 404, 422))
    async def remove_domain(domain: DomainName) -> None:
        """Take a domain off its name; its visitors get 404 from then on."""
        await domains.remove(domain)

    return routes
