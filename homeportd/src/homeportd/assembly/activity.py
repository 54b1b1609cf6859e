"""The part of a workstation's assembly that keeps the activity feed."""

from __future__ import annotations

from contextlib import AsyncExitStack

from fastapi import APIRouter

from homeportd.activity import api
from homeportd.activity.service import Activity
from homeportd.activity.store import ActivityLog
from homeportd.activity.view import EVENTS, activity_view
from homeportd.assembly.core import Core
from homeportd.assembly.servers import ServerRooms
from homeportd.auth.current import current_caller
from homeportd.auth.model import Kind
from homeportd.shares.service import Shares


async def open_activity(core: Core, running: ServerRooms, shares: Shares, stack: AsyncExitStack) -> APIRouter:
    """The feed's route; it notes what changes from now on."""

    def actor() -> str:
        caller = current_caller()
        if caller is None:
            return ""
        if caller.kind is Kind.TOKEN:
            names = {token.id: token.name for token in core.auth.tokens()}
            return f"token {names.get(caller.name, caller.name)}"
        return "a terminal" if caller.kind is Kind.PEER else "the dashboard"

    def repo_of_port(number: int) -> str:
        port = running.ports.get(number)
        return (port.programs[0].repo or "") if port is not None and port.programs else ""

    log = ActivityLog(core.database)
    log.start()
    stack.push_async_callback(log.close)
    activity = Activity(
        log,
        actor=actor,
        repo_of_server=lambda server: (
            repo.id if (repo := running.servers.repo_of(server)) is not None else ""
        ),
        repo_of_port=repo_of_port,
    )
    activity.know_shares({share.port: share.mode for share in shares.all()})
    core.events.declare(EVENTS)
    log.appended.subscribe(lambda entry: core.events.show("activity", activity_view(entry).model_dump()))
    running.servers.changed.subscribe(activity.server_changed)
    shares.changed.subscribe(activity.share_changed)
    shares.paused.subscribe(activity.share_paused)
    core.jobs.changed.subscribe(activity.job_changed)
    return api.router(log, core.guard)
