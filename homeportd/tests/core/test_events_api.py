"""Watchers over a WebSocket that come, stay and take nothing at the wrong moment."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from homeportd import events_api
from homeportd.auth.guard import guard
from homeportd.auth.service import LOGIN_SESSION_DAYS, Auth
from homeportd.auth.store import AuthStore
from homeportd.endings import Endings
from homeportd.events import Events

DASHBOARD = "http://localhost:8080"
PATIENCE = 60


@pytest.fixture
async def auth(database, passwords):
    made = Auth(AuthStore(database), passwords, b"k" * 32, Endings(database))
    await made.load()
    yield made
    await made.close()


async def join(events, auth, send):
    """Watch as the server of a WebSocket does it; `send` gets what it is told. Returns when the watch is over."""
    cookie = await auth.open_login_session()
    app = FastAPI()
    app.include_router(events_api.router(events, auth, guard(auth, DASHBOARD)))
    coming = asyncio.Queue()
    coming.put_nowait({"type": "websocket.connect"})
    scope = {
        "type": "websocket",
        "path": "/api/events",
        "query_string": b"since=",
        "headers": [(b"cookie", b"homeport_session=" + cookie.encode()), (b"origin", DASHBOARD.encode())],
    }
    async with asyncio.timeout(PATIENCE):
        await app(scope, coming.get, send)


async def test_who_logs_out_while_its_watch_begins_watches_nothing(auth):
    told = []

    async def send(message):
        told.append(message)
        if message["type"] == "websocket.accept":
            (session,) = auth._login_sessions.values()
            await auth.close_login_session(session.id)

    await join(Events(), auth, send)
    assert [message["type"] for message in told] == ["websocket.accept", "websocket.close"]
    assert told[-1]["code"] == events_api.CLOSED_REVOKED


async def test_a_session_whose_time_is_over_watches_no_more(auth):
    told = []

    async def send(message):
        told.append(message)
        if message["type"] == "websocket.send":
            auth.sweep()
            auth._now = lambda: datetime.now(UTC) + timedelta(days=LOGIN_SESSION_DAYS)
            auth.sweep()

    await join(Events(), auth, send)
    assert [message["type"] for message in told] == ["websocket.accept", "websocket.send", "websocket.close"]
    assert told[-1]["code"] == events_api.CLOSED_REVOKED


async def test_who_takes_nothing_from_the_first_word_on_gives_its_place_back(auth, monkeypatch):
    monkeypatch.setattr(events_api, "SEND_S", 0.05)
    monkeypatch.setattr(events_api, "CLOSE_S", 0.05)
    events = Events()

    async def send(message):
        if message["type"] != "websocket.accept":
            assert events.watched
            await asyncio.Event().wait()

    await join(events, auth, send)
    assert not events.watched
