"""Runs of git that may talk to a remote, under rules that hold for every repository, hostile ones too.

No hook, no file system monitor and no password prompt; transports are those of the network, and the file system's
only where a person named a folder of this machine. The person's own git config is trusted, as git is. A repository's
own config is read by git in `fetch` and `merge`, so `own_config.check` is asked before.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from homeportd.errors import HomeportError

STALL_S: Final = 300.0  # without a word of git: it is ended
STOP_S: Final = 5.0  # from SIGTERM to SIGKILL
MAX_LINE: Final = 4096  # bytes of one line of output
MAX_OUTPUT: Final = 4 * 1024 * 1024  # bytes of an answer on standard output
KEPT_ERRORS: Final = 200  # lines of standard error, the last ones

_RULES: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "core.pager=cat",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",  # it would go on behind our back, in a folder that may be removed
    "maintenance.auto=false",
    # It runs within the agent's limit of memory, and a large repository is not to end the agent.
    *(
        "pack.threads=1",
        "core.deltaBaseCacheLimit=32m",
        "core.bigFileThreshold=16m",
        "core.packedGitLimit=128m",
    ),
    "merge.verifySignatures=false",  # else it starts what gpg.program names
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
    "advice.detachedHead=false",
)
_SSH: Final = (
    "-oBatchMode=yes",  # ask nobody for a passphrase
    "-oConnectTimeout=20",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=3",
)
_KEPT: Final = (
    *(
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "TMPDIR",
        "XDG_CONFIG_HOME",
        "XDG_RUNTIME_DIR",
        "GIT_CONFIG_NOSYSTEM",
        "GIT_CONFIG_GLOBAL",
    ),
    *("SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR", "HOMEPORT_CONFIG"),
    *(
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
    ),
)
_LOGIN: Final = re.compile(r"(https?://)[^/\s@']*@", re.IGNORECASE)
NETWORK: Final = "https:http:ssh:git"


class GitError(Exception):
    """A run of git that failed; `errors` is the end of what it wrote on standard error."""

    def __init__(self, errors: Sequence[str], code: int | None) -> None:
        super().__init__(errors[-1] if errors else f"git ended with {code}")
        self.errors = tuple(errors)
        self.code = code


@dataclass(frozen=True)
class Git:
    """Git with its rules. `helper` is the command of the credential helper, asked after the person's own ones,
    `ssh_options` gives further options of ssh, quoted for a shell."""

    helper: str | None = None
    ssh_options: Callable[[], str] = lambda: "-oStrictHostKeyChecking=accept-new"
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)

    async def run(
        self,
        *arguments: str | Path,
        folder: Path | None = None,
        local: bool = False,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> str:
        """Run git in `folder`, a folder of a repository or None; returns its standard output, at most MAX_OUTPUT bytes.

        `local`: the file system may be a transport. `on_line` gets each line of standard error, progress too. Git is
        ended with all that it started when the caller is cancelled. Raises GitError, OSError, HomeportError (no git).
        """
        program = shutil.which("git")
        if program is None:
            raise HomeportError("git is not installed", "apt install git")
        process = await asyncio.create_subprocess_exec(
            program,
            *self._options(),
            *map(str, arguments),
            cwd=folder or "/",
            env=self._variables(local),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # so that its transports end with it, and none has a terminal to ask on
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018 - asked for above
        errors: deque[str] = deque(maxlen=KEPT_ERRORS)

        def said(line: str) -> None:
            clean = _LOGIN.sub(r"\1", line)  # an old remote may have a token in its address
            errors.append(clean)
            on_line(clean)

        reading = asyncio.create_task(_read(process.stdout))
        try:
            await _follow(process.stderr, said)
            output = await reading
            code = await process.wait()
        except TimeoutError:
            raise GitError([*errors, f"fatal: no answer for {STALL_S:g} s: timed out"], None) from None
        finally:
            reading.cancel()
            await _end(process)
        if code:
            raise GitError(errors, code)
        return output

    def _options(self) -> list[str]:
        helpers = [f"credential.helper={self.helper}", "credential.useHttpPath=true"] if self.helper else []
        return ["--no-pager", *(word for pair in (*_RULES, *helpers) for word in ("-c", pair))]

    def _variables(self, local: bool) -> dict[str, str]:
        return {
            **{name: self.environment[name] for name in _KEPT if name in self.environment},
            "LC_ALL": "C.UTF-8",
            "LANGUAGE": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GCM_INTERACTIVE": "never",
            "GIT_ALLOW_PROTOCOL": f"{NETWORK}:file" if local else NETWORK,
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_LFS_SKIP_SMUDGE": "1",  # pointers are told, their files fetched when somebody asks
            "GIT_SSH_COMMAND": " ".join(("ssh", *_SSH, self.ssh_options())),
            "GIT_SSH_VARIANT": "ssh",
            "GIT_EDITOR": "false",
        }


def helper_command(socket: Path) -> str:
    """The command of Homeport's credential helper, as git's config writes one. `socket`: the agent's, for its owner."""
    program = Path(sys.executable).with_name("homeport")
    return f"!{shlex.quote(str(program))} git-credential --socket {shlex.quote(str(socket))}"


async def _read(stream: asyncio.StreamReader) -> str:
    """The whole output up to MAX_OUTPUT; the rest is read and dropped, so that git does not wait."""
    kept = bytearray()
    while data := await stream.read(65536):
        kept += data[: MAX_OUTPUT - len(kept)]
    return kept.decode("utf-8", "replace")


async def _follow(stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
    """Hand over each line, ended by LF or CR. Raises TimeoutError after STALL_S without a byte."""
    rest = b""
    while True:
        async with asyncio.timeout(STALL_S):
            data = await stream.read(8192)
        if not data:
            break
        *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            if line.strip():
                on_line(line[:MAX_LINE].decode("utf-8", "replace").rstrip())
        rest = rest[:MAX_LINE]
    if rest.strip():
        on_line(rest.decode("utf-8", "replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    """End a process that still runs, and its session."""
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.communicate()
                return
