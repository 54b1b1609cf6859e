# ruff: noqa: S608 - SQL is put together of names of tables and columns, which are ours and quoted
"""The difference between a newer database and the copy from before its migration, counted and put into words."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Final

WORDS: Final = {  # table -> one, several
    "shares": ("share", "shares"),
    "tokens": ("token", "tokens"),
    "login_sessions": ("login session", "login sessions"),
    "sessions": ("login session", "login sessions"),  # until schema 3
    "owner_password": ("owner's password", "owner's passwords"),
    "tunnels": ("reservation", "reservations"),
    "domains": ("domain", "domains"),
    "accesses": ("row of the access log", "rows of the access log"),
    "tunnel_visits": ("visit of a tunnel", "visits of tunnels"),
    "jobs": ("job", "jobs"),
    "job_lines": ("line of jobs' logs", "lines of jobs' logs"),
    "ports": ("port of the history", "ports of the history"),
    "repos": ("repo of the history", "repos of the history"),
    "preferences": ("section of the settings", "sections of the settings"),
    "tunnel_minutes": ("minute of traffic figures", "minutes of traffic figures"),
}
# Old rows go by themselves.
LOGS: Final = {"accesses", "tunnel_visits", "tunnel_minutes", "jobs", "job_lines", "ports", "repos"}
LEFT_OUT: Final = {"edge_log_position"}  # bookkeeping
# Rights by table: a row is the same right as long as these columns are equal.
RIGHTS: Final = {
    "shares": ("id", "generation"),
    "tokens": ("id", "hash", "expires_at"),
    "login_sessions": ("id", "hash"),
    "sessions": ("id", "hash"),
    "owner_password": ("hash",),
}
RENAMED: Final = {"login_sessions": "sessions"}  # table -> its name in a copy of an older schema
MAX_TABLES = 12  # named in a sentence


@dataclass(frozen=True)
class Changes:
    """Rows by table: `added`, `changed` and `removed` since the copy; `unknown`: in tables that the copy has not."""

    added: dict[str, int]
    changed: dict[str, int]
    removed: dict[str, int]
    unknown: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.unknown)


def words(counts: dict[str, int]) -> str:
    """`2 shares, 1 token`; a table that has no word of its own by its name."""
    parts = []
    for table, count in list(counts.items())[:MAX_TABLES]:
        one, several = WORDS.get(table, (f"row of {table}", f"rows of {table}"))
        parts.append(f"{count} {one if count == 1 else several}")
    if len(counts) > MAX_TABLES:
        parts.append(f"rows of {len(counts) - MAX_TABLES} other tables")
    return ", ".join(parts)


def changes(connection: sqlite3.Connection) -> Changes:
    """The changes from the older database, attached as `copy`, to `main`. Raises sqlite3.Error."""
    added: dict[str, int] = {}
    changed: dict[str, int] = {}
    removed: dict[str, int] = {}
    unknown: dict[str, int] = {}
    old = _tables(connection, "copy")
    for table in _tables(connection, "main"):
        if table in LEFT_OUT:
            continue
        before = table if table in old else RENAMED.get(table)
        if before not in old:
            _count(connection, unknown, table, f"main.{_quote(table)}", "1")
            continue
        keys, others = _columns(connection, table, before)
        new_rows, old_rows = f"main.{_quote(table)} AS a", f"copy.{_quote(before)} AS b"
        same = " AND ".join(f"a.{key} = b.{key}" for key in keys)
        _count(connection, added, table, new_rows, f"NOT EXISTS (SELECT 1 FROM {old_rows} WHERE {same})")
        if table in LOGS:
            continue
        _count(connection, removed, table, old_rows, f"NOT EXISTS (SELECT 1 FROM {new_rows} WHERE {same})")
        if others:
            differs = " OR ".join(f"a.{name} IS NOT b.{name}" for name in others)
            _count(connection, changed, table, f"{new_rows} JOIN {old_rows} ON {same}", differs)
    return Changes(added, changed, removed, unknown)


def withdraw(connection: sqlite3.Connection) -> dict[str, int]:
    """Remove from the restored database `main` the rights that the newer one, attached as `newer`, has no more.

    Nothing that was closed since the copy is open again. A right whose table the newer release has made anew
    otherwise stays. Rows by table; raises sqlite3.Error.
    """
    withdrawn = {}
    tables = _tables(connection, "main")
    for table, names in RIGHTS.items():
        if table not in tables:  # or a view, under the name that the table once had
            continue
        known = [set(_names(connection, place, table)) for place in ("main", "newer")]
        columns = [name for name in names if all(name in place for place in known)]
        if not columns or len(columns) < len([name for name in names if name in known[0]]):
            continue
        same = " AND ".join(f"n.{name} IS {table}.{name}" for name in columns)
        gone = f"NOT EXISTS (SELECT 1 FROM newer.{table} AS n WHERE {same})"
        cursor = connection.execute(f"DELETE FROM main.{table} WHERE {gone}")
        if cursor.rowcount > 0:
            withdrawn[table] = cursor.rowcount
    return withdrawn


def _count(connection: sqlite3.Connection, into: dict[str, int], table: str, rows: str, where: str) -> None:
    # Names come from our own schema, and are quoted.
    (count,) = connection.execute(f"SELECT count(*) FROM {rows} WHERE {where}").fetchone()
    if count:
        into[table] = count


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(connection: sqlite3.Connection, place: str) -> list[str]:
    sql = f"SELECT name FROM {place}.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    return [name for (name,) in connection.execute(sql)]


def _names(connection: sqlite3.Connection, place: str, table: str) -> list[str]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?, ?)", (table, place))
    return [name for (name,) in rows]


def _columns(connection: sqlite3.Connection, table: str, before: str) -> tuple[list[str], list[str]]:
    """The columns that `table` of `main` shares with `before` of `copy`, quoted: the primary key, and the others."""
    both = set(_names(connection, "main", table))
    rows = connection.execute("SELECT name, pk FROM pragma_table_info(?, 'copy')", (before,)).fetchall()
    keys = [_quote(name) for name, pk in rows if pk and name in both]
    others = [_quote(name) for name, pk in rows if not pk and name in both]
    if len(keys) == sum(1 for _, pk in rows if pk) > 0:
        return keys, others
    return ["rowid"], others
