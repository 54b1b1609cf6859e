"""Jobs by the API and its events."""

from __future__ import annotations

import asyncio

from homeportd.app import agent
from homeportd.assembly import core

from ..conftest import QUICK_ROUNDS, over_socket


async def test_jobs_by_the_api(settings, monkeypatch) -> None:
    made = []
    real = core.Jobs

    def remember(store):
        made.append(real(store))
        return made[-1]

    monkeypatch.setattr(core, "Jobs", remember)

    async def work(job):
        job.line("hello")
        await asyncio.Event().wait()

    async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as peer:
        epoch = (await peer.get("/api/events")).json()["epoch"]
        job = await made[0].start("clone", "clone of shop", "shop", work)

        (listed,) = (await peer.get("/api/jobs")).json()
        log = (await peer.get(f"/api/jobs/{job.id}/log")).json()
        asked = await peer.post(f"/api/jobs/{job.id}/cancel")
        await made[0].ended(job.id)
        ended = (await peer.get(f"/api/jobs/{job.id}")).json()
        events = (await peer.get(f"/api/events?since={epoch}:0")).json()["events"]
        unknown = await peer.get("/api/jobs/99")
        async with over_socket(settings.socket("web")) as stranger:
            refused = await stranger.get("/api/jobs")

    assert (listed["id"], listed["state"], listed["subject"]) == (job.id, "running", "shop")
    assert [line["text"] for line in log] == ["hello"]
    assert asked.status_code == 202
    assert ended["state"] == "cancelled"
    assert [event["data"]["state"] for event in events if event["type"] == "job"] == [
        "queued",
        "running",
        "cancelled",
    ]
    assert (unknown.status_code, refused.status_code) == (404, 401)
