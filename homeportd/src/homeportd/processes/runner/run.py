"""The runner of one command: starts it, keeps its output, stops its whole tree, and writes down how it ended."""

from __future__ import annotations

import _ctypes
import errno
import fcntl
import json
import os
import select
import signal
import time
from typing import Any, Final

from homeportd.processes.runner import state as state_file
from homeportd.processes.runner import tree
from homeportd.processes.runner.output import OutputWriter
from homeportd.processes.runner.state import StateFile
from homeportd.processes.runner.terminal import READ, Pipes, Terminal, TypedInput

LOCK = "lock"
SPEC = "spec.json"
OUTPUT = "output"
EX_TEMPFAIL: Final = 75  # another runner has the folder
EX_USAGE: Final = 64
LOCK_S: Final = 2.0  # how long another may take to let the folder go
ROUND_S: Final = 0.02  # between two rounds of SIGKILL
ROUNDS: Final = 100  # what is left after these waits for a disk, or is another user's
SLOW_ROUND_S: Final = 0.5
FULL: Final = 2048  # bytes; less leaves room for what is printed during a nap, a terminal has 4096
NAP_S: Final = 0.002
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_DEFAULTS: Final = (*_STOPS, signal.SIGCHLD, signal.SIGPIPE, signal.SIGTTOU, signal.SIGXFSZ)


def main(arguments: list[str]) -> int:
    """Run FOLDER's spec; see `__main__.py`. Returns an exit status of sysexits(3)."""
    if len(arguments) not in {2, 3} or arguments[2:] not in ([], ["--detach"]):
        return EX_USAGE
    folder, run = arguments[:2]
    if arguments[2:]:
        if os.fork():
            os._exit(0)
        os.setsid()
    elif os.getsid(0) != os.getpid():
        os.setsid()
    os.chdir("/")  # no folder of a person is kept busy
    lock = _lock(f"{folder}/{LOCK}")
    if lock is None:
        return EX_TEMPFAIL
    with open(f"{folder}/{SPEC}") as file:
        spec = json.load(file)
    if spec["run"] != run or _ended(folder, run):
        return EX_TEMPFAIL  # it came late: that start was given up
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    Runner(folder, spec).serve()
    return 0


def _lock(path: str) -> int | None:
    """The descriptor that holds the folder as long as this process lives; None where another has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > until:
                return None
            time.sleep(0.01)
        else:
            return descriptor


def _ended(folder: str, run: str) -> bool:
    try:
        with open(f"{folder}/{state_file.STATE}") as file:
            state = json.load(file)
    except (OSError, ValueError):
        return False
    return bool(state.get("run") == run)


def _prctl(option: int, value: int) -> None:
    # ctypes itself would cost a megabyte; this is the part of it that calls a function.
    function = _ctypes.dlsym(_ctypes.dlopen(None, 2), "prctl")  # type: ignore[arg-type]
    _ctypes.call_function(function, (option, value, 0, 0, 0))


class Runner:
    """One run of a spec, from the fork to the end of the tree."""

    def __init__(self, folder: str, spec: dict[str, Any]) -> None:
        self._folder = folder
        self._spec = spec
        self._output = OutputWriter(f"{folder}/{OUTPUT}")
        self._stop_at: float | None = None  # monotonic, when SIGTERM came
        self._rounds = 0
        self._terminated = False
        self._process: int | None = None
        self._streams: Pipes | Terminal
        self._typed: TypedInput | None = None
        self._state = StateFile(
            run=spec["run"],
            boot=state_file.boot_id(),
            runner=[os.getpid(), tree.start_time(os.getpid()) or 0],
            process=None,
            exit=None,
            ended=None,
            stopped=False,
            output_from=self._output.end,
        )

    def serve(self) -> None:
        """Start the command, and return when nothing of its tree is left."""
        wake, wake_write = os.pipe()
        for descriptor in (wake, wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        for number in _STOPS:
            signal.signal(number, self._asked_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # to wake the loop
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        if self._spec["terminal"]:
            terminal = Terminal(
                self._spec["columns"], self._spec["rows"], interactive=self._spec["interactive"]
            )
            self._streams = terminal
            self._typed = TypedInput(self._folder, terminal)
        else:
            self._streams = Pipes()
        self._write_state()
        failure = self._start()
        self._streams.started()
        if failure is None and self._process is not None:
            self._state["process"] = [self._process, tree.start_time(self._process) or 0]
            self._write_state()
        self._loop(wake, failure)
        self._drain()
        self._state["ended"] = time.time()
        self._write_state(durable=True, insist=True)

    def _start(self) -> str | None:
        """Fork and run the command; what was wrong where that could not be done."""
        failed, failed_write = os.pipe()  # the kernel closes it when the command is run
        child = os.fork()
        if child == 0:
            self._exec(failed_write)
        os.close(failed_write)
        self._process = child
        message = b""
        while piece := os.read(failed, 4096):
            message += piece
        os.close(failed)
        return message.decode("utf-8", "replace") or None

    def _exec(self, failed: int) -> None:
        """In the child: become the command. Never returns."""
        step = "cannot start"
        try:
            _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # without its runner its output would go nowhere
            self._streams.take()
            for number in _DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            step = f"cannot enter {self._spec['directory']}"
            os.chdir(self._spec["directory"])
            step = f"cannot run {self._spec['argv'][0]}"
            os.umask(0o022)
            os.execvpe(self._spec["argv"][0], self._spec["argv"], self._spec["environment"])  # noqa: S606
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            os.write(failed, f"{step}: {reason}".encode("utf-8", "surrogateescape"))
        finally:
            os._exit(127)

    def _loop(self, wake: int, failure: str | None) -> None:
        """Serve output, input and signals until nothing of the tree is left."""
        output = self._streams.output
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        poll.register(output, select.POLLIN)
        if self._typed is not None:
            poll.register(self._typed.control, select.POLLIN)
            poll.register(self._typed.input, select.POLLIN)
        waiting = False
        while True:
            if self._typed is not None and self._typed.waiting != waiting:
                waiting = self._typed.waiting
                poll.modify(output, select.POLLIN | (select.POLLOUT if waiting else 0))
                poll.modify(self._typed.input, 0 if waiting else select.POLLIN)
            for descriptor, event in poll.poll(self._stopping_ms()):
                if descriptor == wake:
                    os.read(wake, 4096)
                elif descriptor == output:
                    if event & select.POLLOUT and self._typed is not None:
                        self._typed.write()
                    if event & ~select.POLLOUT and not self._read(output):
                        poll.unregister(output)
                elif self._typed is not None and descriptor == self._typed.control:
                    self._typed.obey()
                elif self._typed is not None:
                    self._typed.read()
            if not self._reap(failure):
                return

    def _read(self, output: int) -> bool:
        """Take a piece of output; whether there may be more, now or later."""
        try:
            data = os.read(output, READ)
        except OSError as error:
            return error.errno in {errno.EAGAIN, errno.EINTR}
        self._output.write(data)
        if 0 < len(data) < FULL and not self._spec["interactive"]:
            time.sleep(NAP_S)  # a program that prints line by line would wake the runner for each
        return bool(data)

    def _drain(self) -> None:
        """Take what the tree printed before its end."""
        while True:
            try:
                data = os.read(self._streams.output, READ)
            except OSError:
                return
            if not data:
                return
            self._output.write(data)

    def _reap(self, failure: str | None) -> bool:
        """Take note of all that has ended; whether anything is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._process and self._state["exit"] is None:
                code = os.waitstatus_to_exitcode(status)
                self._state["exit"] = {
                    "code": code if code >= 0 and failure is None else None,
                    "signal": -code if code < 0 and failure is None else None,
                    "at": time.time(),
                    "failure": failure,
                }
                self._write_state(durable=True)
                if self._spec["interactive"] and self._stop_at is None:
                    self._stop_at = time.monotonic()

    def _asked_to_stop(self, _number: int, _frame: object) -> None:
        if self._stop_at is None:
            self._stop_at = time.monotonic()

    def _stopping_ms(self) -> float | None:
        """Do the next step of stopping the tree; the milliseconds until the one after it."""
        if self._stop_at is None:
            return None
        if not self._terminated:
            self._terminated = True
            self._state["stopped"] = True
            self._write_state()
            pids = tree.descendants(os.getpid())
            if self._spec["interactive"]:
                tree.send(pids, signal.SIGHUP)  # a shell that a person types into ignores SIGTERM
            tree.send(pids, signal.SIGTERM)
            tree.send(pids, signal.SIGCONT)  # one that is stopped could not end
        left = self._stop_at + float(self._spec["stop_timeout_s"]) - time.monotonic()
        if left > 0:
            return left * 1000
        tree.kill_below(os.getpid())
        self._rounds += 1
        return (ROUND_S if self._rounds < ROUNDS else SLOW_ROUND_S) * 1000

    def _write_state(self, *, durable: bool = False, insist: bool = False) -> None:
        """Write the state. On a full disk the run goes on; `insist` tries until it is written or the folder is gone."""
        while True:
            try:
                state_file.write(self._folder, self._state, durable=durable)
            except OSError:
                if not insist or not os.path.isdir(self._folder):
                    return
                time.sleep(SLOW_ROUND_S)
            else:
                return
