"""Passwords on their way in: typed unseen, or read from a pipe; never an argument, never echoed."""

from __future__ import annotations

import sys
from typing import Final

from homeportd.cli.errors import USAGE, Failure

MAX_INPUT: Final = 4096  # bytes that are read from a pipe


def ask(what: str) -> str:
    """Have a new password typed twice on the terminal; raises Failure without one, or when they differ."""
    import getpass  # only a person at a terminal needs it

    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask for the password", "use --password-stdin", USAGE)
    first = getpass.getpass(f"New password for {what}: ")
    if not first:
        raise Failure("the password is empty", "type one; it is not shown", USAGE)
    if getpass.getpass("The same again: ") != first:
        raise Failure("the two passwords differ", "start again", USAGE)
    return first


def from_stdin() -> str:
    """Read a password from standard input, without its one trailing newline."""
    text = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(text) > MAX_INPUT:
        raise Failure(f"the password is longer than {MAX_INPUT} bytes", "use a shorter one", USAGE)
    try:
        password = text.decode()
    except UnicodeDecodeError:
        raise Failure("the password is not UTF-8 text", "encode it as UTF-8", USAGE) from None
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise Failure("standard input has no password", "pipe it in: printf %s … | homeport …", USAGE)
    return password
