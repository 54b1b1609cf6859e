"""What a share was made for: a server of ours, the servers of a repo, or else those of a user. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

ROOT: Final = 0


@dataclass(frozen=True)
class Binding:
    """The servers that a share leads to.

    `uid` made their listening sockets, None where the system does not say who did. With a `repo` (the git folder that
    all worktrees of a clone share) they run in it, and root's containers and servers there are meant too; `worktree`
    is the one that is preferred. `user` is the name of `uid`. With a `server` (its id) that one alone is meant.
    """

    uid: int | None
    user: str | None
    repo: str | None = None
    worktree: str | None = None
    server: str | None = None

    def fits(self, uid: int | None, repo: str | None, server: str | None = None) -> bool:
        """Whether a program of this user in this repo, which is of this server, is meant."""
        if self.server is not None:
            return server == self.server
        if self.repo is None:
            return uid == self.uid
        return repo == self.repo and (uid in (self.uid, ROOT))

    @property
    def text(self) -> str:
        """The binding as a noun: `the repo /srv/shop`, `servers of ada`."""
        if self.server is not None and self.worktree:
            return f"a server of the repo {self.worktree}"
        return (
            f"the repo {self.worktree}" if self.worktree else f"servers of {self.user or 'an unknown user'}"
        )

    def to_json(self) -> str:
        """The text that is stored."""
        return json.dumps({name: value for name, value in asdict(self).items() if name != "server" or value})

    @staticmethod
    def from_json(text: str) -> Binding:
        """The inverse of `to_json`."""
        return Binding(**json.loads(text))
