"""Processes as the agent uses them: real programs below real runners."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from homeportd.errors import Problem
from homeportd.processes import service
from homeportd.processes.launcher import DirectLauncher
from homeportd.processes.model import ProcessSpec, ProcessState
from homeportd.processes.service import Processes

from .conftest import ended, exists, python, runner_of, said, shell

FORKS_AWAY = r"""
import os, time
def say(word):
    os.write(1, f"{word} {os.getpid()}\n".encode())
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        say("grandchild")
        time.sleep(600)
    os._exit(0)
say("first")
"""

STUBBORN = r"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
os.write(1, b"ready\n")
while True:
    time.sleep(600)
"""


async def test_a_process_runs_and_its_exit_and_output_are_kept(processes, tmp_path):
    seen = []
    processes.exited.subscribe(seen.append)
    (tmp_path / "a folder with ü, 'quotes' and $HOME").mkdir()
    directory = tmp_path / "a folder with ü, 'quotes' and $HOME"
    await processes.start(
        ProcessSpec(
            "shop", ["sh", "-c", 'pwd; echo "$1" $A; exit 3', "sh", "$B %n *"], directory, {"A": "ä b"}
        )
    )
    process = await ended(processes, "shop")
    assert (process.state, process.stopped) == (ProcessState.EXITED, False)
    assert (process.exit.code, process.exit.signal, process.exit.failure) == (3, None, None)
    assert [line.text for line in await processes.tail("shop", 10)] == [str(directory), "$B %n * ä b"]
    assert abs((await processes.tail("shop", 1))[0].time - process.exit.at) < 60
    assert seen == [process]


async def test_what_cannot_be_run_says_why(processes, tmp_path):
    await processes.start(ProcessSpec("a", ["no-such-program"], tmp_path))
    assert (
        await ended(processes, "a")
    ).exit.failure == "cannot run no-such-program: No such file or directory"
    await processes.start(ProcessSpec("b", ["true"], tmp_path / "gone"))
    assert (
        await ended(processes, "b")
    ).exit.failure == f"cannot enter {tmp_path}/gone: No such file or directory"
    for spec in (ProcessSpec("../c", ["true"], tmp_path), ProcessSpec("c", [], tmp_path)):
        with pytest.raises(Problem) as refused:
            await processes.start(spec)
        assert refused.value.status == 422


async def test_no_two_starts_of_one_id(processes, tmp_path):
    spec = shell("a", "echo $$; exec sleep 600", tmp_path)
    results = await asyncio.gather(*(processes.start(spec) for _ in range(4)), return_exceptions=True)
    refused = [each for each in results if isinstance(each, Problem)]
    assert [each.status for each in refused] == [409] * 3
    await said(processes, "a", b"\n")
    await processes.stop("a")
    assert len(await processes.tail("a", 10)) == 1


async def test_stop_ends_what_forked_away_and_what_ignores_the_signal(processes, tmp_path):
    await processes.start(python("away", FORKS_AWAY, tmp_path))
    seen = await said(processes, "away", b"grandchild ")
    while b"first" not in seen or processes.get("away").exit is None:
        await asyncio.sleep(0.01)
        seen = await said(processes, "away", b"grandchild ")
    assert processes.get("away").exit.code == 0
    assert processes.get("away").state is ProcessState.RUNNING  # the tree is not empty
    grandchild = int(seen.partition(b"grandchild ")[2].split()[0])
    assert exists(grandchild)
    await processes.stop("away")
    assert not exists(grandchild)

    await processes.start(python("stubborn", STUBBORN, tmp_path, stop_timeout_s=0.3))
    await said(processes, "stubborn", b"ready\nready\n")
    pids = await processes.pids("stubborn")
    assert len(pids) == 2
    process = await processes.stop("stubborn")
    assert process.exit.signal == signal.SIGKILL
    assert process.stopped
    assert not any(map(exists, pids))


async def test_a_process_is_found_again_by_the_next_agent(processes, tmp_path):
    await processes.start(shell("a", "echo one; read line; echo $line; exit 7", tmp_path))
    await said(processes, "a", b"one\n")
    await processes.close()
    after = Processes(tmp_path / "processes", DirectLauncher())
    await after.open()
    try:
        assert after.get("a").identity == processes.get("a").identity
        assert after.running("a")
        with pytest.raises(Problem):
            await after.start(shell("a", "true", tmp_path))
        await after.write("a", b"two\n")
        assert (await ended(after, "a")).exit.code == 7
        assert [line.text for line in await after.tail("a", 9)] == ["one", "two"]
    finally:
        await after.close()
    last = Processes(tmp_path / "processes", DirectLauncher())
    await last.open()
    try:
        assert last.get("a").exit == after.get("a").exit
    finally:
        await last.close()


async def test_orphans_of_a_killed_runner_are_ended(processes, tmp_path):
    await processes.start(python("a", FORKS_AWAY + "time.sleep(600)\n", tmp_path))
    seen = await said(processes, "a", b"grandchild ")
    grandchild = int(seen.partition(b"grandchild ")[2].split()[0])
    os.kill(runner_of(processes, "a"), signal.SIGKILL)
    process = await ended(processes, "a")
    assert not exists(grandchild)
    assert (process.state, process.exit.code, process.exit.signal) == (ProcessState.EXITED, None, None)
    assert "runner was killed" in process.exit.failure
    assert not processes.running("a")
    await processes.start(shell("a", "exit 0", tmp_path))
    assert (await ended(processes, "a")).exit.code == 0


async def test_a_runner_that_is_held_up_does_not_keep_its_tree(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(service, "KILL_S", 0.5)
    await processes.start(shell("a", "sleep 600 & echo up; wait", tmp_path, stop_timeout_s=0.1))
    await said(processes, "a", b"up\n")
    pids = await processes.pids("a")
    os.kill(runner_of(processes, "a"), signal.SIGSTOP)
    process = await processes.stop("a")
    assert not any(map(exists, pids))
    assert process.exit.failure is not None


async def test_usage_and_owner_of_a_tree(processes, tmp_path):
    await processes.start(
        python("a", "import os\nos.fork()\nos.write(1, b'up\\n')\nwhile True: pass", tmp_path)
    )
    await said(processes, "a", b"up\nup\n")
    first = await processes.usage("a")
    assert first.processes == 2
    assert first.memory > 4_000_000
    while (usage := await processes.usage("a")).cpu is None:  # noqa: ASYNC110 - until the next table
        await asyncio.sleep(0.1)
    assert usage.cpu > 0
    assert await processes.id_of(processes.get("a").identity.pid) == "a"
    assert await processes.id_of(os.getpid()) is None
    await processes.stop("a")
    assert await processes.usage("a") is None
    await processes.remove("a")
    assert processes.get("a") is None
    assert not (tmp_path / "processes/a").exists()


async def test_pipes_where_no_terminal_is_wanted(processes, tmp_path):
    check = "import sys; print(sys.stdout.isatty(), sys.stdin.isatty(), repr(sys.stdin.read()))"
    await processes.start(python("pipes", check, tmp_path, terminal=False))
    await processes.start(python("terminal", check.replace("sys.stdin.read()", "0"), tmp_path))
    assert (await ended(processes, "pipes")).exit == processes.get("pipes").exit
    await ended(processes, "terminal")
    assert (await processes.tail("pipes", 1))[0].text == "False False ''"
    assert (await processes.tail("terminal", 1))[0].text == "True True 0"
