"""Domains as the API shows them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel

from homeportd.clock import to_text
from homeportd.domains.model import Mapping
from homeportd.domains.service import Domains
from homeportd.domains.settings import DomainsSettings


class RecordView(BaseModel):
    """A DNS record; names end in a dot."""

    name: str
    type: Literal["CNAME", "A", "AAAA"]
    value: str


class ErrorView(BaseModel):
    """The fault of a domain, and the next step of its owner."""

    detail: str
    fix: str


class CertificateView(BaseModel):
    """The certificate that visitors of a domain get."""

    issuer: str
    not_before: str
    not_after: str
    serial: str


class DomainView(BaseModel):
    """A domain that leads to the reservation called `name`.

    `records`: the one to make first, then others that would do. `found`: what DNS answered. `error`: why it is
    not there yet, or not any more. `note`: whose answer `found` is, where it is not the zone's own servers'.
    """

    domain: str
    reservation: str
    name: str
    state: Literal["pending", "verified", "issued", "error"]
    records: list[RecordView]
    found: list[str]
    error: ErrorView | None
    note: str | None
    certificate: CertificateView | None
    checked_at: str | None
    retry_at: str | None
    created_at: str
    url: str


class DomainRemovedView(BaseModel):
    """Data of the event that a domain no longer leads anywhere."""

    domain: str


EVENTS: Final[dict[str, type[BaseModel]]] = {
    "domain.changed": DomainView,
    "domain.removed": DomainRemovedView,
}


def domain_view(mapping: Mapping, domains: Domains, settings: DomainsSettings) -> DomainView:
    """The present state of one domain."""
    certificate = mapping.certificate
    return DomainView(
        domain=mapping.domain,
        reservation=mapping.tunnel,
        name=domains.name_of(mapping),
        state=mapping.state.value,
        records=[
            RecordView.model_validate(record, from_attributes=True) for record in domains.records(mapping)
        ],
        found=list(mapping.found),
        error=ErrorView(detail=mapping.error.detail, fix=mapping.error.fix) if mapping.error else None,
        note=mapping.note,
        certificate=CertificateView(
            issuer=certificate.issuer,
            not_before=to_text(certificate.not_before),
            not_after=to_text(certificate.not_after),
            serial=certificate.serial,
        )
        if certificate
        else None,
        checked_at=to_text(mapping.checked_at),
        retry_at=to_text(mapping.retry_at),
        created_at=to_text(mapping.created_at),
        url=settings.url_of_domain(mapping.domain),
    )
