"""The table of shares."""

from __future__ import annotations

import json

from homeportd import clock
from homeportd.database import Database
from homeportd.networks import parse_network
from homeportd.shares.binding import Binding
from homeportd.shares.model import Mode, Share

_COLUMNS = (
    "port, id, generation, mode, password_hash, expires_at, allow, max_uses, uses, updated_at, host_header,"
    " binding, inherited, subdomains"
)


class ShareStore:
    """Reads all shares at start, then writes each change; the service keeps them in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Share]:
        """Every share, expired ones included."""
        rows = await self._database.all(f"SELECT {_COLUMNS} FROM shares ORDER BY port")  # noqa: S608
        return [_share(row) for row in rows]

    async def save(self, share: Share) -> None:
        """Insert or replace the share of a port."""
        async with self._database.transaction() as connection:
            await connection.execute(
                f"INSERT OR REPLACE INTO shares ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                (
                    share.port,
                    share.id,
                    share.generation,
                    share.mode.value,
                    share.password_hash,
                    clock.to_text(share.expires_at),
                    json.dumps([str(network) for network in share.allow]),
                    share.max_uses,
                    share.uses,
                    clock.to_text(share.updated_at),
                    share.host_header,
                    share.binding.to_json() if share.binding else None,
                    int(share.inherited),
                    int(share.subdomains),
                ),
            )

    async def delete(self, port: int) -> None:
        """Remove the share of a port, if there is one."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM shares WHERE port = ?", (port,))


def _share(row: tuple[object, ...]) -> Share:
    port, id_, generation, mode, password_hash, expires_at, allow, max_uses, uses, *rest = row
    updated_at, host, binding, inherited, subdomains = rest
    assert isinstance(port, int) and isinstance(generation, int) and isinstance(uses, int)  # noqa: S101, PT018
    assert max_uses is None or isinstance(max_uses, int)  # noqa: S101
    return Share(
        port=port,
        id=str(id_),
        generation=generation,
        mode=Mode(str(mode)),
        password_hash=None if password_hash is None else str(password_hash),
        expires_at=None if expires_at is None else clock.from_text(str(expires_at)),
        allow=tuple(map(parse_network, json.loads(str(allow)))),
        max_uses=max_uses,
        uses=uses,
        updated_at=clock.from_text(str(updated_at)),
        host_header=str(host),
        binding=None if binding is None else Binding.from_json(str(binding)),
        inherited=bool(inherited),
        subdomains=bool(subdomains),
    )
