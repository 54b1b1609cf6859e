"""The standard streams of a process: a terminal or pipes, with the input and the size that others send."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from contextlib import suppress
from typing import Final

INPUT = "input"  # FIFO: bytes typed into the terminal
CONTROL = "control"  # FIFO: lines `size <columns> <rows>`
READ: Final = 64 * 1024  # bytes of output at a time
WRITE: Final = 4096  # bytes of input at a time
PIPE: Final = 1024 * 1024  # bytes that a pipe may hold, where the system lets it
F_SETPIPE_SZ: Final = 1031
MAX_SIDE: Final = 1000  # columns or rows


def make_fifo(path: str) -> int:
    """A new FIFO, open in both directions, so that it never ends."""
    with suppress(FileNotFoundError):
        os.remove(path)
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


class Pipes:
    """Output through a pipe, no input."""

    def __init__(self) -> None:
        self.output, self._write = os.pipe()
        os.set_blocking(self.output, False)
        self._null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        with suppress(OSError):
            fcntl.fcntl(self.output, F_SETPIPE_SZ, PIPE)

    def take(self) -> None:
        """In the child: make these the standard streams, in a session of its own."""
        os.setsid()
        os.dup2(self._null, 0)
        os.dup2(self._write, 1)
        os.dup2(self._write, 2)

    def started(self) -> None:
        """After the child has its own: let the pipe end with the tree."""
        os.close(self._write)


class Terminal:
    """A terminal whose session leader is the runner, so that what the first process leaves behind is not hung up."""

    def __init__(self, columns: int, rows: int, *, interactive: bool) -> None:
        self.output, self._slave = os.openpty()
        os.set_blocking(self.output, False)
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
        self.resize(columns, rows)
        if not interactive:
            # A log has the line ends that the program printed, and nothing of what a person might have typed.
            mode = termios.tcgetattr(self._slave)
            mode[1] &= ~termios.OPOST
            mode[3] &= ~termios.ECHO
            termios.tcsetattr(self._slave, termios.TCSANOW, mode)

    def resize(self, columns: int, rows: int) -> None:
        """Set the size; the foreground processes are told by SIGWINCH."""
        columns, rows = min(max(columns, 1), MAX_SIDE), min(max(rows, 1), MAX_SIDE)
        fcntl.ioctl(self.output, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def take(self) -> None:
        """In the child, with SIGTTOU ignored: make it the standard streams, as the foreground group."""
        os.setpgid(0, 0)
        os.tcsetpgrp(self._slave, os.getpid())
        for number in range(3):
            os.dup2(self._slave, number)

    def started(self) -> None:
        """Nothing to do: the runner keeps its end, or a moment without a reader would be the end of the output."""


class TypedInput:
    """What others type: from the FIFO into the terminal, as fast as its program takes it."""

    def __init__(self, folder: str, terminal: Terminal) -> None:
        self._terminal = terminal
        self.input = make_fifo(f"{folder}/{INPUT}")
        self.control = make_fifo(f"{folder}/{CONTROL}")
        self._pending = b""
        self._line = b""

    @property
    def waiting(self) -> bool:
        """Whether the program has yet to take what was typed."""
        return bool(self._pending)

    def read(self) -> None:
        """Take from the FIFO, while nothing waits."""
        if not self._pending:
            try:
                self._pending = os.read(self.input, WRITE)
            except BlockingIOError:
                return
            self.write()

    def write(self) -> None:
        """Give to the terminal what waits."""
        try:
            self._pending = self._pending[os.write(self._terminal.output, self._pending) :]
        except BlockingIOError:
            return
        except OSError:
            self._pending = b""

    def obey(self) -> None:
        """Read the control FIFO. What is no command is passed over."""
        try:
            data = self._line + os.read(self.control, WRITE)
        except BlockingIOError:
            return
        *lines, self._line = data.split(b"\n")
        self._line = self._line[-WRITE:]
        for line in lines:
            words = line.split()
            if len(words) == 3 and words[0] == b"size" and words[1].isdigit() and words[2].isdigit():
                self._terminal.resize(int(words[1][:5]), int(words[2][:5]))
