"""The activity feed: what a change means, and the feed of a real agent, with who asked."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from homeportd.activity import model
from homeportd.activity.model import Kind
from homeportd.app import agent
from homeportd.jobs.model import Job, JobError
from homeportd.jobs.model import State as JobState
from homeportd.servers.model import End, Life, Server, State
from homeportd.shares.model import Mode

from ..conftest import QUICK_ROUNDS, over_socket


def server(state: State, **life: object) -> Server:
    return Server("id", Path("/repos/shop"), "web", life=Life(state, **life))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (State.STOPPED, server(State.STARTING), (Kind.STARTED, "")),
        (State.STARTING, server(State.LISTENING, ports=(3000, 3001)), (Kind.LISTENING, "on 3000, 3001")),
        (State.STARTING, server(State.FAILED, end=End("exit code 1")), (Kind.FAILED, "exit code 1")),
        (State.LISTENING, server(State.IDLE), (Kind.IDLE, "")),
        (State.LISTENING, server(State.LISTENING, ports=(3000,)), None),
        (State.LISTENING, server(State.STOPPING), None),
        (None, server(State.STOPPED), None),
    ],
)
def test_what_a_change_of_a_server_means(before, after, told):
    assert model.of_server(before, after) == told


def test_what_the_end_of_a_job_means():
    job = Job(1, "clone", "clone of shop", "shop", JobState.RUNNING, datetime(2026, 12, 1, tzinfo=UTC))
    assert model.of_job(job) is None
    failed = dataclasses.replace(job, state=JobState.FAILED, error=JobError("no access", "ask"))
    assert model.of_job(failed) == (Kind.FAILED, "no access")


def test_what_was_private_and_stays_so_is_no_news():
    assert model.of_share(Mode.PRIVATE, None) is None
    assert model.of_share(Mode.PUBLIC, None) == (Kind.UNSHARED, "")


async def test_the_feed_says_what_was_shared_and_from_where(settings):
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as peer:
        made = (await peer.post("/api/tokens", json={"name": "script"})).json()["token"]
        share = {"mode": "public", "expires": "1h"}
        assert (await peer.post("/api/ports/3001/share", json=share)).is_success
        async with over_socket(settings.socket("web")) as script:
            script.headers["Authorization"] = f"Bearer {made}"
            assert (await script.delete("/api/ports/3001/share")).is_success
            refused = await over_no_login(settings)
        newest, oldest = (await peer.get("/api/activity")).json()
        (page,) = (await peer.get(f"/api/activity?limit=1&before={newest['id']}")).json()
        of_a_repo = (await peer.get("/api/activity?repo=shop")).json()
    assert (oldest["kind"], oldest["name"], oldest["by"]) == ("shared", "port 3001", "a terminal")
    assert oldest["detail"] == "with everybody"
    assert (newest["kind"], newest["by"], newest["repo"]) == ("unshared", "token script", None)
    assert page == oldest
    assert of_a_repo == []
    assert refused == 401
    # It is there again after a restart.
    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as peer:
        assert (await peer.get("/api/activity")).json() == [newest, oldest]


async def over_no_login(settings) -> int:
    """Status for somebody who is not logged in."""
    async with over_socket(settings.socket("web")) as stranger:
        return (await stranger.get("/api/activity")).status_code
