"""Processes under kills of agent, runner and process at every step: no orphan, no double start, no lost exit."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from homeportd.errors import Problem
from homeportd.processes.folder import MARK, ProcessFolder, put
from homeportd.processes.launcher import DirectLauncher
from homeportd.processes.model import ProcessSpec
from homeportd.processes.service import Processes

from .conftest import end_all

PROGRAM = "(setsid sleep 600 &) ; touch up; read code; exit $code"
NOTICED_S = 20.0


def runs_of(id):
    """The runs of an id that anything on this machine belongs to, by the environment of each process."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            for word in path.read_bytes().split(b"\0"):
                if word.startswith(f"{MARK}={id}/".encode()):
                    found.setdefault(word.decode().partition("/")[2], set()).add(int(path.parent.name))
    return found


class Machine(RuleBasedStateMachine):
    """One process, its agent, and what is expected of both."""

    def __init__(self):
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp())
        self.id = f"m{secrets.token_hex(6)}"
        self.running = False
        self.exit = None  # (code, signal) of the last run once its first process ended
        self.processes = self.opened()

    def opened(self):
        made = Processes(self.folder / "processes", DirectLauncher())
        self.loop.run_until_complete(made.open())
        return made

    def reopen(self):
        self.loop.run_until_complete(self.processes.close())
        self.processes = self.opened()

    def spec(self):
        return ProcessSpec(self.id, ["/bin/sh", "-c", PROGRAM], self.folder, stop_timeout_s=2.0)

    def wait(self, condition):
        async def until():
            async with asyncio.timeout(NOTICED_S):
                while not condition():  # noqa: ASYNC110 - whatever tells it is what is tried here
                    await asyncio.sleep(0.01)

        self.loop.run_until_complete(until())

    def meanwhile(self, agent_up, action):
        """Do something while the agent runs, or while it does not."""
        if agent_up:
            action()
            return
        self.loop.run_until_complete(self.processes.close())
        action()
        self.processes = self.opened()

    @rule()
    def restart_the_agent(self):
        self.reopen()

    @precondition(lambda self: not self.running)
    @rule()
    def start(self):
        (self.folder / "up").unlink(missing_ok=True)
        process = self.loop.run_until_complete(self.processes.start(self.spec()))
        assert process.identity is not None
        self.wait((self.folder / "up").exists)  # what is left when the first process is killed has begun
        self.running, self.exit = True, None

    @precondition(lambda self: not self.running)
    @rule(delay=st.floats(0, 0.05))
    def the_agent_ends_during_a_start(self, delay):
        async def cut():
            task = asyncio.create_task(self.processes.start(self.spec()))
            await asyncio.sleep(delay)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.loop.run_until_complete(cut())
        self.reopen()
        if self.processes.running(self.id):
            self.loop.run_until_complete(self.processes.stop(self.id))
        process = self.processes.get(self.id)
        assert process is None or process.exit is not None
        self.exit = None

    @precondition(lambda self: self.running)
    @rule()
    def start_again(self):
        with contextlib.suppress(Problem):
            self.loop.run_until_complete(self.processes.start(self.spec()))
            raise AssertionError("two of one id")

    @precondition(lambda self: self.running and self.exit is None)
    @rule(code=st.integers(0, 200), agent_up=st.booleans())
    def finish(self, code, agent_up):
        path = ProcessFolder(self.folder / "processes" / self.id).input
        self.wait(lambda: Path(path).exists())
        self.meanwhile(agent_up, lambda: put(path, f"{code}\n".encode()))
        self.wait(lambda: self.processes.get(self.id).exit is not None)
        self.exit = (code, None)

    @precondition(lambda self: self.running and self.exit is None)
    @rule(agent_up=st.booleans())
    def kill_the_process(self, agent_up):
        self.wait(lambda: self.processes.get(self.id).identity is not None)
        pid = self.processes.get(self.id).identity.pid
        self.meanwhile(agent_up, lambda: os.kill(pid, signal.SIGKILL))
        self.wait(lambda: self.processes.get(self.id).exit is not None)
        self.exit = (None, signal.SIGKILL)

    @precondition(lambda self: self.running)
    @rule(agent_up=st.booleans())
    def kill_the_runner(self, agent_up):
        self.wait(lambda: self.processes.get(self.id).runner is not None)
        pid = self.processes.get(self.id).runner.pid
        self.meanwhile(agent_up, lambda: os.kill(pid, signal.SIGKILL))
        self.wait(lambda: not self.processes.running(self.id))
        self.running, self.exit = False, self.exit or (None, None)

    @precondition(lambda self: self.running)
    @rule()
    def stop(self):
        process = self.loop.run_until_complete(self.processes.stop(self.id))
        self.running = False
        self.exit = self.exit or (process.exit.code, process.exit.signal)
        assert process.exit is not None

    @invariant()
    def nothing_is_lost(self):
        process = self.processes.get(self.id)
        if self.running:
            assert set(runs_of(self.id)) == {process.run}
            assert self.processes.running(self.id)
        else:
            self.wait(lambda: not runs_of(self.id))  # the runner itself ends after its last word
            assert not self.processes.running(self.id)
        if self.exit is not None:
            assert (process.exit.code, process.exit.signal) == self.exit

    def teardown(self):
        self.loop.run_until_complete(self.processes.close())
        end_all(self.folder / "processes")
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        shutil.rmtree(self.folder)


def test_kills_at_every_step():
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=8, stateful_step_count=8, deadline=None, derandomize=False)
    )
