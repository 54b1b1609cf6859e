"""Input of passwords: typed without echo, or read from standard input; never an argument."""

from __future__ import annotations

import sys
from typing import Final

from homeportd.cli.errors import USAGE, Failure

MAX_INPUT: Final = 4096  # bytes that are read from a pipe


def ask(what: str, word: str = "password") -> str:
    """A new password, typed twice on the terminal. Raises Failure without a terminal, or when the two differ.

    `what` it is for; `word`: password or passcode.
    """
    import getpass  # only a person at a terminal needs it

    if not sys.stdin.isatty():
        raise Failure(f"there is no terminal to ask for the {word}", f"use --{word}-stdin", USAGE)
    first = getpass.getpass(f"New {word} for {what}: ")
    if not first:
        raise Failure(f"the {word} is empty", "type one; it is not shown", USAGE)
    if getpass.getpass("The same again: ") != first:
        raise Failure(f"the two {word}s differ", "start again", USAGE)
    return first


def from_stdin(word: str = "password") -> str:
    """A secret from standard input, without its one trailing newline. Raises Failure."""
    text = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(text) > MAX_INPUT:
        raise Failure(f"the {word} is longer than {MAX_INPUT} bytes", "use a shorter one", USAGE)
    try:
        password = text.decode()
    except UnicodeDecodeError:
        raise Failure(f"the {word} is not UTF-8 text", "encode it as UTF-8", USAGE) from None
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        raise Failure(f"standard input has no {word}", "pipe it in: printf %s … | homeport …", USAGE)
    return password
