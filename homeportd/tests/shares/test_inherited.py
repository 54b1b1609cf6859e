"""Shares of a release that did not note what they were made for: open as long as what they were open to is there."""

import asyncio
import socket
import sqlite3
from contextlib import AsyncExitStack, closing

from homeportd.app import agent
from homeportd.database import migrations

from ..conftest import over_socket
from ..freeports import free_port

BEFORE = 4  # the schema of that release
INSERT = (
    "INSERT INTO shares (port, id, generation, mode, allow, updated_at)"
    " VALUES (?, ?, 3, 'public', '[]', '2026-11-30T12:00:00.000Z')"
)


async def test_what_listens_at_the_first_look_is_what_was_shared(settings):
    listening, silent = free_port(), free_port()
    settings.data_dir.mkdir()
    with closing(sqlite3.connect(settings.data_dir / "homeport.db")) as connection:
        for number, script in enumerate(migrations()[:BEFORE], start=1):
            connection.executescript(f"BEGIN;{script};PRAGMA user_version={number};COMMIT;")
        connection.executemany(INSERT, [(listening, "a"), (silent, "b")])
        connection.commit()
    async with AsyncExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", listening)))
        await stack.enter_async_context(agent(settings, bcrypt_rounds=4))
        api = await stack.enter_async_context(over_socket(settings.socket("cli")))

        async def share(port, name):
            async with asyncio.timeout(30):
                while not (found := (await api.get(f"/api/ports/{port}/share")).json())[name]:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            return found

        found = await share(listening, "bound_to")
        assert (found["paused"], found["generation"]) == (None, 3)
        # Whatever starts later on the other is not opened to anybody before its owner says so.
        stack.enter_context(socket.create_server(("127.0.0.1", silent)))
        assert "earlier release" in (await share(silent, "paused"))["paused"]
        assert (await api.post(f"/api/ports/{silent}/share/resume")).json()["paused"] is None
