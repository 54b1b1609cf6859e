"""The settings for git and for the hosts of repositories, which the owner changes at run time."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr


def _identity(text: str) -> str:
    if not text.isprintable() or any(letter in text for letter in "<>"):
        raise ValueError("git takes no <, > and line breaks in a name or an address")
    return text.strip()


def _base(text: str) -> str:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ValueError("write it as https://git.example.com") from None
    own = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and own)):
        raise ValueError("write it as https://git.example.com; a token is sent there")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("leave out names, passwords, ? and #")
    return text.rstrip("/").lower() if not parts.path.strip("/") else text.rstrip("/")


def _token(secret: SecretStr | None) -> SecretStr | None:
    if secret is None:
        return None
    text = secret.get_secret_value().strip()
    if not text:
        return None
    if len(text) > 1000 or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("this is no token")
    return SecretStr(text)


Base = Annotated[str, Field(max_length=300), AfterValidator(_base)]
Token = Annotated[SecretStr | None, AfterValidator(_token)]


class GitPreferences(BaseModel):
    """Name and e-mail address of commits, where ~/.gitconfig says nothing else."""

    name: Annotated[str, Field(max_length=200), AfterValidator(_identity)] = ""
    email: Annotated[str, Field(max_length=200), AfterValidator(_identity)] = ""


class GithubPreferences(BaseModel):
    """GitHub, or a GitHub Enterprise server: its address, and a token for its repositories."""

    url: Base = "https://github.com"
    token: Token = None


class GitlabPreferences(BaseModel):
    """GitLab: its address, and a token for its repositories."""

    url: Base = "https://gitlab.com"
    token: Token = None


SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "git": GitPreferences,
    "github": GithubPreferences,
    "gitlab": GitlabPreferences,
}
