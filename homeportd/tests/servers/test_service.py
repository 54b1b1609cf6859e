"""Servers through the API of an agent: started, stopped, failed, and what comes between."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

from homeportd.servers import catalog


async def test_a_server_is_found_started_and_stopped(make_repo, api, ask):
    repo = make_repo()
    await api.repo()
    listed = (await api.peer.get("/api/repos/shop/servers")).json()
    assert "servers" in listed, listed
    (found,) = listed["servers"]
    assert (found["name"], found["state"], found["source"]) == ("web", "stopped", "Procfile: web")
    assert found["command"] in (repo / "Procfile").read_text()
    started = await api.start()
    assert started["state"] == "starting"
    listening = await api.until(started, "listening")
    assert listening["port"] == listening["number"]
    assert listening["ports"] == [listening["port"]]
    assert listening["url"] == f"http://{listening['port']}.localhost:8080"
    assert await ask(listening["port"]) == "hello"
    again = await api.start()  # harmless
    assert again["started_at"] == listening["started_at"]
    lines = (await api.peer.get(f"/api/servers/{started['id']}/output")).json()
    assert [line["text"] for line in lines] == [f"serving on {listening['port']}"]
    (stopped,) = await api.post("stop")
    assert (stopped["state"], stopped["ports"], stopped["was_running"]) == ("stopped", [], False)
    assert stopped["stopped_at"] is not None
    once_more = await api.until(await api.start(), "listening")
    assert once_more["port"] == listening["port"]  # its number is its own
    (restarted,) = await api.post("restart")
    restarted = await api.until(restarted, "listening")
    assert (restarted["port"], restarted["started_at"] != once_more["started_at"]) == (
        listening["port"],
        True,
    )


async def test_what_ends_at_once_has_failed_with_its_last_words(make_repo, api):
    make_repo("shop", {"Procfile": "web: printf '\\033[31mno\\033[0m such thing\\n'; exit 3\n"})
    await api.repo()
    failed = await api.until(await api.start(), "failed")
    assert (failed["exit_code"], failed["detail"]) == (3, "exited with code 3")
    assert failed["last_lines"] == ["no such thing"]
    (stopped,) = await api.post("stop")
    assert (stopped["state"], stopped["detail"]) == ("stopped", None)


async def test_a_killed_server_is_told_and_restarted_where_that_is_wanted(make_repo, api):
    make_repo()
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    set_up = await api.peer.put(f"/api/servers/{listening['id']}", json={"restart": True})
    assert set_up.json()["restart"] is True
    os.kill(pid_of(listening["port"]), signal.SIGKILL)
    failed = await api.until(listening, lambda found: found["started_at"] != listening["started_at"])
    assert (await api.until(failed, "listening"))["port"] == listening["port"]


async def test_a_server_needs_a_terminal_and_forks_away(make_repo, api, ask):
    """The first process ends, and the server goes on: it runs until all of its tree has ended."""
    code = "import os, sys; sys.stdin.isatty() and sys.stdout.isatty() or sys.exit(9)\n"
    code += (
        f"os.fork() and os._exit(0)\nos.setsid()\nos.execv({sys.executable!r}, ['p', '-I', '-S', 'serve.py'])"
    )
    make_repo("shop", {"away.py": code, "Procfile": f"web: {sys.executable} -I -S away.py"})
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    assert await ask(listening["port"]) == "hello"
    await api.post("stop")
    assert pid_of(listening["port"]) is None


async def test_a_foreign_number_becomes_its_own(make_repo, api, settings):
    foreign = settings.ranges[0].last
    make_repo("shop", {"Procfile": f"web: exec {sys.executable} -u -I -S serve.py {foreign}\n"})
    await api.repo()
    started = await api.start()
    assert started["number"] != foreign
    listening = await api.until(started, "listening")
    assert (listening["port"], listening["ports"]) == (foreign, [foreign])
    assert (await api.until(started, lambda found: found["number"] == foreign))["state"] == "listening"


async def test_two_servers_never_have_the_same_number(make_repo, api):
    ports = []
    for name in ("one", "two"):
        make_repo(name)
        await api.repo(name)
        wanted = {"port": ports[0]} if ports else {}
        if wanted:
            refused = await api.post("start", wanted, name, status=409)
            assert refused["detail"].startswith(f"port {ports[0]} is kept for the server web of ")
        started = await api.start(repo=name)
        ports.append((await api.until(started, "listening"))["port"])
    assert ports[0] != ports[1]


async def test_a_number_that_another_program_took_is_told(make_repo, api):
    make_repo()
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    await api.post("stop")
    other = subprocess.Popen(
        [sys.executable, "-I", "-S", "serve.py", str(listening["port"])],
        cwd=make_repo("other"),
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout.readline()
        refused = await api.post("start", status=409)
        assert f"port {listening['port']} of web is taken by" in refused["detail"]
        # It is listed with the others, and left alone.
        await api.repo("other")
        by_hand = {"id": f"port-{listening['port']}"}
        found = await api.until(by_hand, lambda found: found.get("repo") == "other")
        assert (found["by_hand"], found["state"]) == (True, "listening")
        shown = (await api.peer.get("/api/repos/other/servers")).json()["servers"]
        assert [each["id"] for each in shown if each["by_hand"]] == [by_hand["id"]]
        assert (
            await api.peer.put(f"/api/servers/{by_hand['id']}", json={"restart": True})
        ).status_code == 409
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


async def test_commands_by_hand_are_kept_and_wrong_ones_refused(make_repo, api):
    make_repo("shop", {"Procfile": ""})
    await api.repo()
    assert "no start command" in (await api.post("start", status=404))["detail"]
    for command in ("", "a\nb", "x" * 1001, "a\x00b"):
        await api.post("start", {"command": command}, status=422)
    await api.post("start", {"server": "../x"}, status=422)
    await api.post("start", repo="nowhere", status=404)
    command = f"{sys.executable} -u -I -S serve.py"
    await api.until(await api.start("api", command=command), "listening")
    (stopped,) = await api.post("stop", {"server": "api"})
    assert (stopped["command"], stopped["detected_command"]) == (command, None)
    assert "it has api" in (await api.post("start", {"server": "db"}, status=404))["fix"]


async def test_a_removed_repo_ends_its_servers(make_repo, api):
    repo = make_repo()
    await api.repo()
    listening = await api.until(await api.start(), "listening")
    subprocess.run(["rm", "-rf", str(repo)], check=True)
    stopped = await api.until(listening, lambda found: found["detail"] is not None)
    assert (stopped["state"], stopped["detail"]) == ("stopped", f"its repo {repo} was removed")
    assert pid_of(listening["port"]) is None


async def test_a_repo_that_is_still_being_written_is_looked_at_again(make_repo, api, monkeypatch):
    monkeypatch.setattr(catalog, "AGAIN_S", 0.1)
    monkeypatch.setattr(catalog, "FRESH_S", 0.1)
    repo = make_repo("shop", {"Procfile": ""})
    await api.repo()
    (repo / "Procfile").write_text("web: sleep 60\n")
    async with asyncio.timeout(30):
        names = []
        while "web" not in names:
            listed = (await api.peer.get("/api/servers")).json()
            names = [each["name"] for each in listed if each["repo_path"] == str(repo)]


async def test_output_is_followed_through_a_restart(make_repo, api):
    make_repo()
    await api.repo()
    started = await api.until(await api.start(), "listening")
    seen = []
    path = f"/api/servers/{started['id']}/output?follow=true"
    async with asyncio.timeout(30), api.peer.stream("GET", path) as answer:
        async for line in answer.aiter_lines():
            seen.append(line)
            if len(seen) == 1:
                await api.post("restart")
            if len(seen) == 2:
                break
    assert all("serving on" in line for line in seen)


def pid_of(port):
    """The pid of what listens on a port."""
    found = subprocess.run(
        ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=True
    ).stdout
    return int(found.partition("pid=")[2].partition(",")[0]) if "pid=" in found else None
