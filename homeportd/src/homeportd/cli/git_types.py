"""Shapes of API answers about git and its hosts, as `api_types`."""

from __future__ import annotations

from typing import TypedDict


class HostedRepo(TypedDict):
    """A repository at GitHub or GitLab; `name` with its owner."""

    name: str
    description: str
    private: bool


class HostedPage(TypedDict):
    """A page of repositories at a host."""

    repos: list[HostedRepo]


class SshKey(TypedDict):
    """The public half of the SSH key of the agent's user, and the pages where it belongs."""

    public_key: str | None
    pages: list[str]


class Credential(TypedDict):
    """A user name and a token for git."""

    username: str
    password: str
