"""What a person was told survives `kill -9` of the edge: reservations, allowlists, routes, names in use."""

from __future__ import annotations

import asyncio
import os
import resource
import signal

import pytest
from edge_helper import PATIENCE_S, Refused, echo_server, link, over_socket, to_port

from homeportd.tunnels.protocol import Refusal


async def first_byte(port):
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    return await reader.read(1)


async def crash(process):
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def test_a_crash_loses_nothing(start, settings, port, ports):
    process = await start()
    async with over_socket(settings.socket("cli")) as api:
        token = (await api.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()
        body = {"kind": "tcp", "port": ports[0], "allow": ["127.0.0.2"], "limits": {"connections": 5}}
        kept = (await api.post("/api/reservations", json=body)).json()
        client = await link(port, token["token"])
        chosen = await client.open("http", name="app")
        given = await client.open("http")
        assert (await client.open("tcp", port=ports[0])).tunnel == kept["id"]
    await crash(process)
    await client.close()
    stale = settings.edge.routes_dir / "tunnel-0123456789ab.yml"
    stale.write_text("{}")
    (settings.edge.routes_dir / "edge.yml").write_text("{}")
    await start()
    async with over_socket(settings.socket("cli")) as api:
        left = {item["id"]: item for item in (await api.get("/api/tunnels")).json()}
        assert left.keys() == {kept["id"], chosen.tunnel, given.tunnel}
        assert left[kept["id"]]["allow"] == ["127.0.0.2/32"]
        assert left[kept["id"]]["limits"]["connections"] == 5
        assert left[given.tunnel]["reserved"] is False
        assert {item["state"] for item in left.values()} == {"offline"}
    routes = sorted(path.name for path in settings.edge.routes_dir.glob("*.yml"))
    assert routes == sorted(["edge.yml", f"tunnel-{chosen.tunnel}.yml", f"tunnel-{given.tunnel}.yml"])
    client = await link(port, token["token"])
    assert (await client.open("http", name="app")).tunnel == chosen.tunnel
    assert (await client.open("http", name=given.name, reserve=False)).tunnel == given.tunnel
    async with over_socket(settings.socket("cli")) as api:
        kept_now = {item["id"] for item in (await api.get("/api/reservations")).json()}
    assert kept_now == {kept["id"], chosen.tunnel}
    with pytest.raises(ConnectionResetError):
        await first_byte(ports[0])
    await client.close()


async def test_what_was_acknowledged_is_there_however_soon_the_crash(start, settings, port):
    process = await start()
    async with over_socket(settings.socket("cli")) as api:
        token = (await api.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()
    names = []
    for _ in range(3):
        client = await link(port, token["token"])
        names.append((await client.open("http", name=f"n{os.urandom(4).hex()}")).name)
        process.send_signal(signal.SIGKILL)  # with the answer just read
        await process.wait()
        await client.close()
        process = await start()
        async with over_socket(settings.socket("cli")) as api:
            kept = {item["name"] for item in (await api.get("/api/reservations")).json()}
        assert kept == set(names)


async def test_a_full_disk_costs_nobody_a_tunnel(start, settings, port):
    process = await start()
    async with over_socket(settings.socket("cli")) as api, echo_server() as server:
        token = (await api.post("/api/tokens", json={"name": "laptop", "scope": "tunnel"})).json()
        client = await link(port, token["token"], to_port(server))
        opened = await client.open("tcp")
        given = await client.open("tcp")
        reserved = (await api.post("/api/reservations", json={"kind": "http", "name": "kept"})).json()
        reader, writer = await asyncio.open_connection("127.0.0.1", opened.port)

        async def echoes():
            writer.write(b"x")
            return await asyncio.wait_for(reader.readexactly(1), PATIENCE_S) == b"x"

        assert await echoes()
        no_limit = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, no_limit[1]))
        with pytest.raises(Refused) as caught:
            await client.open("http", name="more")
        assert caught.value.reason is Refusal.LIMIT
        assert "disk" in caught.value.message.fix
        answer = await api.post("/api/reservations", json={"kind": "tcp"})
        assert (answer.status_code, "disk" in answer.json()["fix"]) == (503, True)
        # What ends does, even if that cannot be written down yet.
        ended, _ = await asyncio.open_connection("127.0.0.1", given.port)
        assert (await api.delete(f"/api/tunnels/{given.tunnel}")).status_code == 503
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(ended.read(), PATIENCE_S)
        # So do rules that let fewer in.
        stricter = {"allow": ["192.0.2.0/24"]}
        answer = await api.put(f"/api/reservations/{reserved['id']}", json=stricter)
        assert (answer.status_code, "the stricter rules hold" in answer.json()["detail"]) == (503, True)
        assert (await api.get("/api/reservations")).json()[0]["allow"] == ["192.0.2.0/24"]
        assert await echoes()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, no_limit)
        assert (await client.open("http", name="more")).name == "more"
        assert (await api.post("/api/reservations", json={"kind": "tcp"})).status_code == 201
        assert await echoes()
        writer.close()
        await client.close()
