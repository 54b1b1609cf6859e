"""Processes under systemd and supervisord: their state, their log, and when to give them up.

Everything here runs on the target, so it keeps to the standard library.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

COMMAND_S = 30  # for systemctl and supervisorctl, which wait for a process to stop for 20 s
ANSWER_S = 10  # for the command that asks a service
POLL_S = 0.25
SETTLED_S = 2.0  # a service that answers shall still be the same process after this time
MOST_ENDS = 5  # of the process, until it is given up
LOG_LINES = 15
LOG_LINE = 300  # characters
LOG_TAIL = 16 * 1024  # bytes

# Options of every module that starts or watches a service; doc_fragments/service.py describes them.
OPTIONS = {
    "supervisorctl": {"type": "list", "elements": "str", "default": []},
    "logs": {"type": "str", "default": ""},
    "seconds": {"type": "int", "default": 45},
}

STARTING, RUNNING, FAILED = "starting", "running", "failed"
# EXITED is an end with the one status that is not tried again; STOPPED comes before a start, too.
SUPERVISOR_STATES = {"RUNNING": RUNNING, "FATAL": FAILED, "EXITED": FAILED}


@dataclass(frozen=True)
class State:
    """A process as its manager sees it: STARTING, RUNNING or FAILED, its pid or 0, and the manager's own words.

    `restarts` is how often the manager has started it anew, where it counts that; `pausing` whether it waits to do so.
    """

    kind: str
    pid: int
    detail: str
    restarts: int = 0
    pausing: bool = False


def run(command: list[str], seconds: float = COMMAND_S) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; one that cannot run, or does not end, gives exit status 127 and the reason."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            stdin=subprocess.DEVNULL,
            cwd="/",
            check=False,
        )
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} did not end within {seconds:g} s")


def parse_systemd(text: str) -> State:
    """The answer of `systemctl show`."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    pid = int(values.get("MainPID") or 0)
    active, result = values.get("ActiveState", ""), values.get("Result", "")
    restarts, status = int(values.get("NRestarts") or 0), values.get("ExecMainStatus", "")
    detail = (
        f"it ended with exit status {status}"
        if result == "exit-code"
        else f"systemd says: {result or active}"
    )
    if active == "active":
        return State(RUNNING, pid, detail, restarts)
    # A job is work that systemd still has to do: what it says of the unit is about the time before.
    done = active in ("failed", "inactive") and values.get("Job", "0") in ("", "0")
    return State(FAILED if done else STARTING, pid, detail, restarts)


def parse_supervisor(text: str) -> State:
    """One line of `supervisorctl status`: the name, the state, and words."""
    words = text.split(None, 2)
    state, rest = (words[1], words[2] if len(words) > 2 else "") if len(words) > 1 else ("", "")
    match = re.search(r"\bpid ([0-9]+)", rest)
    return State(
        SUPERVISOR_STATES.get(state, STARTING),
        int(match[1]) if match else 0,
        f"supervisord says: {state} {rest}",
        pausing=state == "BACKOFF",  # a program that ends within a second is never seen with its pid
    )


class Manager:
    """systemd, or supervisord by its `supervisorctl` (with options); `logs` is where the latter writes."""

    def __init__(self, supervisorctl: list[str], logs: str) -> None:
        self._supervisorctl = supervisorctl
        self._logs = logs

    def state(self, name: str) -> State:
        """What the manager knows of a service now."""
        if self._supervisorctl:
            return parse_supervisor(run([*self._supervisorctl, "status", name]).stdout)
        properties = "--property=ActiveState,Result,MainPID,ExecMainStatus,NRestarts,Job"
        return parse_systemd(run(["systemctl", "show", properties, f"{name}.service"]).stdout)

    def stop(self, name: str) -> str:
        """Stop a service, now and for as long as nobody starts it; why it could not be, or nothing."""
        command = [*self._supervisorctl, "stop", name] if self._supervisorctl else ["systemctl", "stop", name]
        result = run(command)
        gone = self.state(name).pid == 0
        return "" if gone else f"{name} could not be stopped: {(result.stdout + result.stderr).strip()}"

    def start(self, names: list[str]) -> None:
        """Read the files of the services anew and start them, without waiting for them."""
        if not self._supervisorctl:
            run(["systemctl", "daemon-reload"])
            run(["systemctl", "restart", "--no-block", *(f"{name}.service" for name in names)])
            return
        run([*self._supervisorctl, "update"])
        for name in names:
            if self.state(name).pid == 0:
                run([*self._supervisorctl, "start", name])

    def forget(self, names: list[str]) -> None:
        """Stop services whose files have gone, also at the next boot."""
        for name in names:
            if self._supervisorctl:
                self.stop(name)  # `start` lets supervisord forget it
            else:
                run(["systemctl", "disable", "--now", f"{name}.service"])

    def log(self, name: str) -> list[str]:
        """The last lines that a service wrote."""
        if not self._supervisorctl:
            lines = ["--output=cat", "--no-pager", f"--lines={LOG_LINES}"]
            return last_lines(run(["journalctl", f"--unit={name}.service", *lines]).stdout)
        return end_of_file(Path(self._logs, f"{name}.log"))

    def log_command(self, name: str) -> str:
        """What a person types to read more of it."""
        if self._supervisorctl:
            return f"tail -n 50 {self._logs}/{name}.log"
        return f"journalctl --unit {name} --lines 50"


def end_of_file(path: Path) -> list[str]:
    """The last lines of a log file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOG_TAIL))
            return last_lines(file.read().decode(errors="replace"))
    except OSError:
        return []


def last_lines(text: str) -> list[str]:
    """The end of a log, for a terminal: few lines, none long, no control characters."""
    lines = [
        "".join(letter if letter.isprintable() else "?" for letter in line[:LOG_LINE].expandtabs(4))
        for line in text.splitlines()
    ]
    return [line[:LOG_LINE] for line in lines if line.strip()][-LOG_LINES:]


class Watch:
    """The states of one service, one after another, until it runs or is given up. No I/O."""

    def __init__(self) -> None:
        self._pid = 0
        self._ends = 0
        self._pausing = False
        self._restarts = -1  # those of the manager's count from before
        self.ends = 0  # of the process, as far as it was seen

    def see(self, state: State) -> str:
        """Why the service is given up; nothing while it may still come up."""
        if state.pid != self._pid:
            self._ends += self._pid > 0
        elif state.pausing and not self._pausing:
            self._ends += 1
        self._pid, self._pausing = state.pid, state.pausing
        if not 0 <= self._restarts <= state.restarts:
            self._restarts = state.restarts
        self.ends = max(self._ends, state.restarts - self._restarts)
        if state.kind == FAILED:
            return state.detail
        if self.ends >= MOST_ENDS:
            return f"it ended {self.ends} times"
        return ""


def is_started_from(pid: int, fingerprint: str) -> bool:
    """Whether a process was started with this fingerprint in its environment.

    Any process is, for an empty one, and one whose environment not even root may read, as in a container.
    """
    if pid <= 0:
        return False
    if not fingerprint:
        return True
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except PermissionError:
        return True
    except OSError:
        return False
    return f"HOMEPORT_FINGERPRINT={fingerprint}".encode() in environment.split(b"\0")


def asked_by(command: list[str]) -> Callable[[], str] | None:
    """The question whether a service answers, put by a command that succeeds if so; None without a command."""
    if not command:
        return None

    def ask() -> str:
        asked = run(command, ANSWER_S)
        if asked.returncode == 0:
            return ""
        said = last_lines((asked.stderr or asked.stdout).partition("\n")[0]) or ["nothing is said"]
        return f"it does not answer ({said[0].removeprefix('error: ')})"

    return ask


def wait(
    manager: Manager,
    name: str,
    fingerprint: str,
    ask: Callable[[], str] | None,
    seconds: float,
    *,
    settled: float = 0.0,
) -> str:
    """Wait until a service runs and answers; nothing, or why it does not.

    `ask` returns why there is no answer, or nothing. With `settled` the same process has to answer twice, so many
    seconds apart, and the word of the manager that it runs is not waited for.
    """
    deadline = time.monotonic() + seconds
    watch = Watch()
    answered, since = 0, 0.0  # by which pid, since when
    reason = "it is not ready"
    while True:
        state = manager.state(name)
        ours = is_started_from(state.pid, fingerprint)
        if (ours or state.pid == 0) and (problem := watch.see(state)):
            return problem
        if ours and ask is None and state.kind == RUNNING:
            return ""
        due = answered != state.pid or time.monotonic() - since >= settled
        if ours and ask is not None and due and (settled or state.kind == RUNNING):
            silence = ask()
            if not silence and (answered == state.pid or not settled):
                return ""
            answered, since = (0 if silence else state.pid), time.monotonic()
            reason = silence or reason
        if time.monotonic() >= deadline:
            return f"it ended {watch.ends} times" if watch.ends else f"{reason} within {seconds:g} s"
        time.sleep(POLL_S)


def described(manager: Manager, name: str, problem: str) -> str:
    """Why a service does not run, and the end of its log."""
    lines = manager.log(name)
    log = "\n".join(["its log ends with", *(f"  {line}" for line in lines)]) if lines else "its log is empty"
    return f"{name} does not run: {problem}\n{log}"
