"""The tables of login sessions, tokens and the dashboard's password."""

from __future__ import annotations

import json
from collections.abc import Iterable

from homeportd import clock
from homeportd.auth.model import LoginSession, Scope, Token
from homeportd.database import Database


class AuthStore:
    """Rows of these tables. The service reads all at start, keeps them in memory and writes each change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def login_sessions(self) -> list[LoginSession]:
        """Every login session, expired ones included."""
        rows = await self._database.all("SELECT id, hash, created_at, expires_at FROM login_sessions")
        return [
            LoginSession(
                str(id_), _bytes(hash_), clock.from_text(str(created)), clock.from_text(str(expires))
            )
            for id_, hash_, created, expires in rows
        ]

    async def tokens(self) -> list[Token]:
        """Every token, oldest first."""
        rows = await self._database.all(
            "SELECT id, name, prefix, hash, created_at, last_used_at, scope, lineage, expires_at FROM tokens"
            " ORDER BY created_at, id"
        )
        return [
            Token(
                str(id_),
                str(name),
                str(prefix),
                _bytes(hash_),
                clock.from_text(str(created)),
                clock.from_text(str(used)) if used else None,
                Scope(str(scope)),
                str(lineage),
                clock.from_text(str(expires)) if expires else None,
            )
            for id_, name, prefix, hash_, created, used, scope, lineage, expires in rows
        ]

    async def password(self) -> str | None:
        """The bcrypt hash of the dashboard's password, None when none was set."""
        row = await self._database.one("SELECT hash FROM owner_password")
        return None if row is None else str(row[0])

    async def add_login_session(self, session: LoginSession) -> None:
        """Insert one login session, and delete expired ones."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "DELETE FROM login_sessions WHERE expires_at <= ?", (clock.to_text(session.created_at),)
            )
            await connection.execute(
                "INSERT INTO login_sessions (id, hash, created_at, expires_at) VALUES (?,?,?,?)",
                (
                    session.id,
                    session.hash,
                    clock.to_text(session.created_at),
                    clock.to_text(session.expires_at),
                ),
            )

    async def delete_login_session(self, session_id: str) -> None:
        """Delete one login session."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM login_sessions WHERE id = ?", (session_id,))

    async def set_password(self, hashed: str, kept: Iterable[str]) -> None:
        """Replace the password and delete every login session whose id is not in `kept`, in one transaction."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT OR REPLACE INTO owner_password (id, hash) VALUES (1, ?)", (hashed,)
            )
            await connection.execute(
                "DELETE FROM login_sessions WHERE id NOT IN (SELECT value FROM json_each(?))",
                (json.dumps(list(kept)),),
            )

    async def add_token(self, token: Token, replaced: Token | None = None) -> None:
        """Insert one token; in the same transaction write `expires_at` of the token that it replaces."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "INSERT INTO tokens (id, name, prefix, hash, created_at, scope, lineage)"
                " VALUES (?,?,?,?,?,?,?)",
                (
                    token.id,
                    token.name,
                    token.prefix,
                    token.hash,
                    clock.to_text(token.created_at),
                    token.scope.value,
                    token.lineage,
                ),
            )
            if replaced is not None and replaced.expires_at is not None:
                await connection.execute(
                    "UPDATE tokens SET expires_at = ? WHERE id = ?",
                    (clock.to_text(replaced.expires_at), replaced.id),
                )

    async def use_token(self, token: Token) -> None:
        """Write when a token was last used."""
        async with self._database.transaction() as connection:
            used = clock.to_text(token.last_used_at)
            await connection.execute("UPDATE tokens SET last_used_at = ? WHERE id = ?", (used, token.id))

    async def delete_token(self, token_id: str) -> None:
        """Delete one token."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM tokens WHERE id = ?", (token_id,))


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)  # noqa: S101 - the schema says BLOB
    return value
