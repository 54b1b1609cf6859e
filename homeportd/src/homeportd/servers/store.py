"""The tables of servers."""

from __future__ import annotations

import json
from pathlib import Path

from homeportd import clock
from homeportd.database import Database
from homeportd.servers.model import End, Life, Policy, Server, State

_COLUMNS = (
    "id, repo_path, name, directory, start_command, auto_start, restart, idle_stop_s, port, was_running, state, ports,"
    " ending, started_at, stopped_at, created_at, updated_at"
)


class ServerStore:
    """Reads all servers at start, then writes each change; the service keeps them in memory."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Server]:
        """Every stored server. Raises sqlite3.Error."""
        rows = await self._database.all(f"SELECT {_COLUMNS} FROM servers ORDER BY id")  # noqa: S608
        return [_server(row) for row in rows]

    async def save(self, server: Server) -> None:
        """Insert or replace a server. Raises sqlite3.Error."""
        policy, life = server.policy, server.life
        created = server.created_at or clock.now()
        async with self._database.transaction() as connection:
            await connection.execute(
                f"INSERT OR REPLACE INTO servers ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
                (
                    server.id,
                    str(server.repo),
                    server.name,
                    server.directory,
                    policy.command,
                    int(policy.auto_start),
                    int(policy.restart),
                    policy.idle_stop_s,
                    policy.port,
                    int(life.wanted),
                    life.state.value,
                    json.dumps(life.ports),
                    None
                    if life.end is None
                    else json.dumps([life.end.detail, life.end.code, life.end.signal]),
                    clock.to_text(server.started_at),
                    clock.to_text(server.stopped_at),
                    clock.to_text(created),
                    clock.to_text(server.updated_at or created),
                ),
            )

    async def delete(self, server: str) -> None:
        """Remove a server. Raises sqlite3.Error."""
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM servers WHERE id = ?", (server,))

    async def is_new_boot(self, boot: str) -> bool:
        """Note the boot in which the agent runs; whether it is another than at its last start. Raises sqlite3.Error."""
        row = await self._database.one("SELECT boot FROM server_boot")
        if row is not None and row[0] == boot:
            return False
        async with self._database.transaction() as connection:
            await connection.execute("INSERT OR REPLACE INTO server_boot (only, boot) VALUES (1, ?)", (boot,))
        return True


def _server(row: tuple[object, ...]) -> Server:
    (
        id_,
        repo,
        name,
        directory,
        command,
        auto_start,
        restart,
        idle,
        port,
        wanted,
        state,
        ports,
        end,
        *times,
    ) = row
    started, stopped, created, updated = (
        None if each is None else clock.from_text(str(each)) for each in times
    )
    assert idle is None or isinstance(idle, int)  # noqa: S101
    assert port is None or isinstance(port, int)  # noqa: S101
    return Server(
        id=str(id_),
        repo=Path(str(repo)),
        name=str(name),
        directory=str(directory),
        policy=Policy(
            command=None if command is None else str(command),
            auto_start=bool(auto_start),
            restart=bool(restart),
            idle_stop_s=idle,
            port=port,
        ),
        life=Life(
            state=State(str(state)),
            wanted=bool(wanted),
            ports=tuple(json.loads(str(ports))),
            end=None if end is None else End(*json.loads(str(end))),
        ),
        started_at=started,
        stopped_at=stopped,
        created_at=created,
        updated_at=updated,
    )
