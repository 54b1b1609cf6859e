"""The table of domains."""

from __future__ import annotations

import json
from datetime import datetime

from homeportd.clock import from_text, to_text
from homeportd.database import Database
from homeportd.domains.model import Certificate, Mapping, State, Trouble

_COLUMNS = (
    "domain, tunnel, state, apex, routed, asking, asked_at, retry_at, failures, found, note, error_detail,"
    " error_fix, certificate, checked_at, created_at"
)
_KEPT = ("domain", "tunnel", "created_at")  # never change


class DomainStore:
    """Reads all at start, then writes each change; the service keeps them in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Mapping]:
        """Every domain, oldest first."""
        rows = await self._database.all(f"SELECT {_COLUMNS} FROM domains ORDER BY created_at, domain")  # noqa: S608
        return [_mapping(*row) for row in rows]

    async def save(self, mapping: Mapping) -> None:
        """Insert or replace a domain. Raises sqlite3.IntegrityError when its tunnel is gone."""
        names = _COLUMNS.split(", ")
        marks = ", ".join("?" for _ in names)
        changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in _KEPT)
        async with self._database.transaction() as connection:
            await connection.execute(
                f"INSERT INTO domains ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - our own names
                f" ON CONFLICT (domain) DO UPDATE SET {changes}",
                _row(mapping),
            )

    async def delete(self, domain: str) -> None:
        """Remove a domain; harmless when it is not there."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM domains WHERE domain = ?", (domain,))


def _row(mapping: Mapping) -> tuple[object, ...]:
    certificate = mapping.certificate
    return (
        mapping.domain,
        mapping.tunnel,
        mapping.state.value,
        int(mapping.apex),
        int(mapping.routed),
        int(mapping.asking),
        to_text(mapping.asked_at),
        to_text(mapping.retry_at),
        mapping.failures,
        json.dumps(mapping.found),
        mapping.note,
        mapping.error.detail if mapping.error else None,
        mapping.error.fix if mapping.error else None,
        json.dumps(
            {
                "issuer": certificate.issuer,
                "not_before": to_text(certificate.not_before),
                "not_after": to_text(certificate.not_after),
                "serial": certificate.serial,
            }
        )
        if certificate
        else None,
        to_text(mapping.checked_at),
        to_text(mapping.created_at),
    )


def _mapping(*row: object) -> Mapping:
    (domain, tunnel, state, apex, routed, asking, asked, retry, failures, found, note, detail, fix) = row[:13]
    certificate, checked, created = row[13:]
    return Mapping(
        domain=str(domain),
        tunnel=str(tunnel),
        state=State(str(state)),
        apex=bool(apex),
        routed=bool(routed),
        asking=bool(asking),
        asked_at=_moment(asked),
        retry_at=_moment(retry),
        failures=int(str(failures)),
        found=tuple(json.loads(str(found))),
        note=None if note is None else str(note),
        error=None if detail is None else Trouble(str(detail), str(fix)),
        certificate=None if certificate is None else _certificate(str(certificate)),
        checked_at=_moment(checked),
        created_at=from_text(str(created)),
    )


def _certificate(text: str) -> Certificate:
    made = json.loads(text)
    return Certificate(
        made["issuer"], from_text(made["not_before"]), from_text(made["not_after"]), made["serial"]
    )


def _moment(value: object) -> datetime | None:
    return None if value is None else from_text(str(value))
