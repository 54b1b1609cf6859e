"""The activity feed: it subscribes to servers, shares and jobs, and keeps what a person wants to know."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from homeportd import clock
from homeportd.activity import model
from homeportd.activity.model import MAX_TEXT, Entry, Kind
from homeportd.activity.store import ActivityLog
from homeportd.jobs.model import Job
from homeportd.servers.model import Server, State
from homeportd.shares.model import Mode, Share

MAX_JOBS = 1000  # whose beginners are remembered


class Activity:
    """Each subscriber is called by the signal of its room. `actor` names what the owner uses just now, or ``.

    `repo_of_server` and `repo_of_port` give the ids of repos, empty where there is none.
    """

    def __init__(
        self,
        log: ActivityLog,
        *,
        actor: Callable[[], str],
        repo_of_server: Callable[[Server], str],
        repo_of_port: Callable[[int], str],
    ) -> None:
        self.log = log
        self._actor = actor
        self._repo_of_server = repo_of_server
        self._repo_of_port = repo_of_port
        self._servers: dict[str, State] = {}
        self._shares: dict[int, Mode] = {}
        self._jobs: dict[int, str] = {}

    def know_shares(self, shares: dict[int, Mode]) -> None:
        """Take what was shared before: it is no news."""
        self._shares.update(shares)

    def server_changed(self, server: Server) -> None:
        """Note a change of a server."""
        before = self._servers.get(server.id)
        self._servers[server.id] = server.life.state
        by = self._actor() if server.life.state in (State.STARTING, State.STOPPED) else ""
        self._note(model.of_server(before, server), self._repo_of_server(server), server.name, by)

    def share_changed(self, port: int, share: Share | None) -> None:
        """Note a change of a share."""
        before = self._shares.get(port, Mode.PRIVATE)
        self._shares[port] = share.mode if share is not None else Mode.PRIVATE
        self._note(model.of_share(before, share), self._repo_of_port(port), f"port {port}", self._actor())

    def share_paused(self, share: Share) -> None:
        """Note that a share was paused, since something else listens there."""
        if share.paused is not None:
            self._note((Kind.PAUSED, share.paused), self._repo_of_port(share.port), f"port {share.port}", "")

    def job_changed(self, job: Job, lasting: bool) -> None:
        """Note the end of a job, by whoever began it."""
        if not lasting:
            return
        if not job.state.ended:
            if job.id not in self._jobs and len(self._jobs) < MAX_JOBS:
                self._jobs[job.id] = self._actor()
            return
        self._note(model.of_job(job), job.subject, job.title, self._jobs.pop(job.id, ""))

    def _note(self, what: tuple[Kind, str] | None, subject: str, name: str, by: str) -> None:
        if what is None:
            return
        kind, detail = what
        entry = Entry(subject, clock.to_text(clock.now()), kind, name[:MAX_TEXT], detail[:MAX_TEXT], by)
        self.log.append(replace(entry, subject=subject[:MAX_TEXT]))
