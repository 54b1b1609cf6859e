"""The settings for git and for the hosts of repositories, which the owner changes at run time."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, Field, SecretStr, WithJsonSchema

# Neither control characters nor what git drops from a name.
_IDENTITY: Final = r"^[^<>\x00-\x1f\x7f-\x9f]*$"
_NUMBER: Final = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
# A token is sent there: without TLS only to this machine.
_BASE: Final = (
    r"^(https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|http://(localhost|127\.0\.0\.1))"
    rf"(:{_NUMBER})?(/[A-Za-z0-9._~-]+)*/?$"
)
_CHARACTERS: Final = "^[!-~]{1,1000}$"


def _token(secret: SecretStr) -> SecretStr:
    if re.fullmatch("[!-~]{1,1000}", secret.get_secret_value()) is None:
        raise ValueError("this is no token")
    return secret


Identity = Annotated[str, Field(max_length=200, pattern=_IDENTITY), AfterValidator(str.strip)]
Base = Annotated[str, Field(max_length=300, pattern=_BASE), AfterValidator(lambda text: text.rstrip("/"))]
Token = Annotated[
    SecretStr, AfterValidator(_token), WithJsonSchema({"type": "string", "pattern": _CHARACTERS})
]


class GitPreferences(BaseModel):
    """Name and e-mail address of commits, where ~/.gitconfig says nothing else."""

    name: Identity = ""
    email: Identity = ""


class GithubPreferences(BaseModel):
    """GitHub, or a GitHub Enterprise server: its address, and a token for its repositories."""

    url: Base = "https://github.com"
    token: Token | None = None


class GitlabPreferences(BaseModel):
    """GitLab: its address, and a token for its repositories."""

    url: Base = "https://gitlab.com"
    token: Token | None = None


SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "git": GitPreferences,
    "github": GithubPreferences,
    "gitlab": GitlabPreferences,
}
