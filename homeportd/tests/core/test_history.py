"""The history of repos and ports over a restart of the agent."""

from __future__ import annotations

import socket

from homeportd.app import agent

from ..conftest import QUICK_ROUNDS, over_socket
from ..freeports import free_ports
from ..repos.conftest import git, make


async def test_repos_and_ports_are_remembered(settings) -> None:
    shop = make(settings.repo_root / "shop")
    (port,) = free_ports(1)

    async def read(address):
        async with agent(settings, bcrypt_rounds=QUICK_ROUNDS), over_socket(settings.socket("cli")) as peer:
            return (await peer.get(address)).json()

    before = await read("/api/repos/shop")
    with socket.create_server(("127.0.0.1", port)):
        seen = await read(f"/api/ports/{port}/history")
    git(shop, "switch", "-q", "-c", "next")
    after = await read("/api/repos/shop")
    gone = await read(f"/api/ports/{port}/history")
    never = await read("/api/ports/1/history")

    assert before["created_at"] == before["updated_at"]
    assert after["created_at"] == before["created_at"]
    assert gone["first_seen"] == seen["first_seen"]
    assert gone["last_seen"] >= seen["last_seen"]
    assert never["status"] == 404
