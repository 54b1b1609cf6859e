"""Ports and shares through the API, with real listeners."""

import asyncio
import socket
import subprocess
import sys

import pytest

from ..freeports import free_port


def listening(family=socket.AF_INET, host="127.0.0.1"):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.bind((host, 0))
    listener.listen()
    return listener


async def until(check):
    async with asyncio.timeout(30):
        while not (found := await check()):  # noqa: ASYNC110 - what the kernel knows sets no event here
            await asyncio.sleep(0.05)
        return found


async def test_a_dev_server_shows_under_its_repo_and_leaves(peer, settings):
    repo = settings.repo_root / "shop"
    (repo / "frontend").mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(repo)], check=True)
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=repo / "frontend",
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = await asyncio.to_thread(server.stdout.readline)
        number = int(line.split("port ")[1].split()[0])

        async def found():
            answer = await peer.get(f"/api/ports/{number}")
            # Where reading /proc takes long, it is shown without its owner first.
            return answer.json() if answer.status_code == 200 and answer.json()["repo"] else None

        port = await until(found)
        assert (port["pid"], port["repo"], port["subdir"]) == (server.pid, "shop", "frontend")
        assert port["addresses"] == ["127.0.0.1"]
        assert port["url"] == f"http://{number}.localhost:8080"
        assert port["share"]["mode"] == "private"

        async def placed():
            repos = {repo["id"]: repo for repo in (await peer.get("/api/repos")).json()}
            return repos["shop"] if repos["shop"]["ports"] else None

        shown = await until(placed)
        assert (shown["id"], shown["branch"], shown["ports"]) == ("shop", "main", [number])
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()

    async def gone():
        return (await peer.get(f"/api/ports/{number}")).status_code == 404

    await until(gone)  # how soon: tests/ports/test_service.py


async def test_a_share_is_set_read_and_removed(peer):
    with listening() as listener:
        number = listener.getsockname()[1]
        body = {
            "mode": "password",
            "password": "secret",
            "expires": "24h",
            "allow": ["10.0.0.0/8"],
            "max_uses": 2,
        }
        made = (await peer.post(f"/api/ports/{number}/share", json=body)).json()
        assert made["mode"] == "password"
        assert made["allow"] == ["10.0.0.0/8"]
        assert (made["max_uses"], made["uses"], made["generation"]) == (2, 0, 1)
        assert "secret" not in str(made)
        assert (await peer.get(f"/api/ports/{number}/share")).json() == made
        assert (await peer.delete(f"/api/ports/{number}/share")).status_code == 204
        assert (await peer.get(f"/api/ports/{number}/share")).status_code == 404
        assert (await peer.delete(f"/api/ports/{number}/share")).status_code == 404


async def test_a_shared_port_is_listed_though_nothing_listens(peer):
    number = free_port()  # and within the ranges, so that it is known whether something listens
    await peer.post(f"/api/ports/{number}/share", json={"mode": "public"})
    listed = {port["port"]: port for port in (await peer.get("/api/ports")).json()}
    assert listed[number]["listening"] is False
    assert listed[number]["share"]["mode"] == "public"


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "mode"),
        ({"mode": "open"}, "mode"),
        ({"mode": "public", "colour": 1}, "colour"),
        ({"mode": "password"}, "password"),
        ({"mode": "public", "allow": ["10.0.0.1/33"]}, "10.0.0.1/33"),
        ({"mode": "public", "expires": "soon"}, "soon"),
        ({"mode": "password", "password": "x", "max_uses": 0}, "max_uses"),
    ],
)
async def test_a_bad_share_is_refused_with_its_fix(peer, body, named):
    answer = await peer.post("/api/ports/3000/share", json=body)
    assert answer.status_code in (409, 422)
    assert named in answer.json()["detail"]
    assert answer.json()["fix"]
    assert (await peer.get("/api/ports/3000/share")).status_code == 404


@pytest.mark.parametrize("number", ["0", "65536", "-1", "abc", "3000.5"])
async def test_a_bad_port_is_refused(peer, number):
    for path in ("", "/share", "/logs"):
        assert (await peer.get(f"/api/ports/{number}{path}")).status_code == 422


async def test_status_counts(peer):
    before = (await peer.get("/api/status")).json()
    await peer.post("/api/ports/3000/share", json={"mode": "public"})
    after = (await peer.get("/api/status")).json()
    assert after["counts"]["shared"] == before["counts"]["shared"] + 1
    assert after["dashboard_url"] == "http://localhost:8080"
    assert 0 < after["system"]["memory"]["used"] < after["system"]["memory"]["total"]
    assert 0 <= after["system"]["cpu_percent"] <= 100


async def test_a_port_outside_the_ranges_cannot_be_shared(peer, settings):
    assert not settings.covers(22)
    for body in ({"mode": "public"}, {"mode": "password", "password": "open sesame"}, {"mode": "private"}):
        refused = await peer.post("/api/ports/22/share", json=body)
        assert refused.status_code == 409, refused.text
        assert "10000-60999" in refused.json()["detail"]
        assert "homeport_port_ranges" in refused.json()["fix"]
    assert (await peer.get("/api/ports/22/share")).status_code == 404
    assert "homeport_port_ranges" in (await peer.get("/api/ports/22")).json()["fix"]


async def test_a_well_known_port_that_is_shared_says_what_it_is(peer):
    assert (await peer.post("/api/ports/27017/share", json={"mode": "public"})).status_code == 200
    shown = (await peer.get("/api/ports/27017")).json()
    assert (shown["caution"]["kind"], shown["caution"]["command"]) == ("not-http", "homeport tcp 27017")
    assert shown["outside"] is None
    assert (await peer.delete("/api/ports/27017/share")).status_code == 204
