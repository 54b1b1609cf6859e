"""The routes of git's credentials and of the SSH key."""

from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from homeportd.auth.guard import Guard
from homeportd.auth.model import Caller, Kind
from homeportd.errors import Problem, not_found
from homeportd.http import problems
from homeportd.repos.credentials import Credentials
from homeportd.repos.ssh_key import SshKey, SshKeys

MAX_TEXT: Final = 4096


class CredentialBody(BaseModel):
    """A question of git's, git-credential(1); `host` has the port. `folder`: the git folder, or git's own."""

    model_config = ConfigDict(extra="forbid")

    protocol: Annotated[str, Field(max_length=20)]
    host: Annotated[str, Field(max_length=300)]
    folder: Annotated[str, Field(max_length=MAX_TEXT, pattern="^/")]


class CredentialView(BaseModel):
    """A user name and a token for git."""

    username: str
    password: str


class SshKeyView(BaseModel):
    """The public half of the SSH key of the agent's user, null where there is none; and the pages where it belongs."""

    public_key: str | None
    pages: list[str]


def router(credentials: Credentials, keys: SshKeys, guard: Guard) -> APIRouter:
    """The routes below /api/git."""
    routes = APIRouter(prefix="/api/git", tags=["git"])

    @routes.post("/credential", responses=problems(400, 401, 403, 404, 413, 422))
    async def find_credential(
        caller: Annotated[Caller, Depends(guard)], body: CredentialBody
    ) -> CredentialView:
        """The credential for the host of a repository's remote. For processes of the agent's user alone."""
        if caller.kind is not Kind.PEER:
            raise Problem(403, "tokens are given to git on this machine alone", "run git there")
        found = await credentials.for_folder(body.protocol, body.host, Path(body.folder))
        if found is None:
            raise not_found(
                f"a credential for {body.host} in that folder", "homeport settings set github.token"
            )
        return CredentialView(username=found.username, password=found.password)

    @routes.get("/ssh-key", responses=problems(401))
    async def read_ssh_key(_caller: Annotated[Caller, Depends(guard)]) -> SshKeyView:
        return _shown(keys.find())

    @routes.post("/ssh-key", responses=problems(401, 403, 503))
    async def make_ssh_key(_caller: Annotated[Caller, Depends(guard)]) -> SshKeyView:
        """The key, made where there is none."""
        return _shown(await keys.ensure())

    def _shown(key: SshKey | None) -> SshKeyView:
        pages = [
            f"{credentials.github.url}/settings/ssh/new",
            f"{credentials.gitlab.url}/-/user_settings/ssh_keys",
        ]
        return SshKeyView(public_key=key.public if key is not None else None, pages=pages)

    return routes
