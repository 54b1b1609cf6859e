"""The account of this user with an edge: ~/.config/homeport/edge.toml, for its owner alone."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import stat
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from homeportd.tunnels import local_edge
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.proxy import NONE, Proxy

NAME: Final = "~/.config/homeport/edge.toml"
MAX_FILE: Final = 64 * 1024  # bytes
MAX_TOKEN: Final = 128  # characters, as the protocol has it
LINKS: Final = 2  # connections, where the file does not say
MAX_LINKS: Final = 8  # as the protocol has it, which takes longer to import

_TOKEN = re.compile(r"[!-~]+")
# Fixes of errors: without an account, and for a token that this machine's edge refuses.
CONNECT: Final = (
    "make a token on the edge (homeport token create NAME --scope tunnel), then here: homeport init --edge URL,"
    " with the edge's address"
)
RENEW: Final = "homeport init, which makes another one on this machine"


@dataclass(frozen=True)
class Account:
    """One edge, and a token for it. `api_token` is an owner's token for its API, where there is one.

    `local`: the edge of this machine; its address is read from the agent's settings, whatever `url` was.
    """

    url: str
    token: str
    ca: str | None = None  # a file of certificates to trust instead of the system's
    api_url: str | None = None
    api_token: str | None = None
    links: int = LINKS
    local: bool = False
    # A proxy on the way, with its password; `none`: no proxy; None: that of the environment, if there is one.
    proxy: str | None = field(default=None, repr=False)

    @property
    def address(self) -> EdgeAddress:
        """The parsed `url`."""
        return EdgeAddress.parse(self.url)


def path() -> Path:
    """The account's file."""
    return Path(NAME).expanduser()


def load(file: Path | None = None) -> Account:
    """Read the account. Raises TunnelError when there is none, or it cannot be used."""
    file = file or path()
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            data = opened.read(MAX_FILE + 1)
    except FileNotFoundError:
        raise TunnelError(Reason.SETUP, "this user has no edge yet", CONNECT, lasting=True) from None
    except OSError as error:
        raise _unusable(file, error.strerror or str(error)) from error
    if stat.S_IMODE(mode) & 0o077:
        raise TunnelError(
            Reason.SETUP, f"other users may read the token in {file}", f"chmod 600 {file}", lasting=True
        )
    try:
        keys = tomllib.loads(data.decode())
        account = Account(
            **{key: value for key, value in keys.items() if key in Account.__dataclass_fields__}
        )
    except (ValueError, TypeError) as error:
        raise _unusable(file, str(error)) from error
    return _with_local_address(_checked(account, file)) if account.local else _checked(account, file)


def store_first(make: Callable[[], Account], file: Path | None = None) -> Account:
    """Store the account that `make` returns, unless there is one by then. Returns the stored one.

    `make` runs in one process at a time. Raises OSError, TunnelError, and what `make` raises.
    """
    file = file or path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(file):
        if file.exists():
            return load(file)
        account = make()
        _write(account, file)
    return account


def store(account: Account, file: Path | None = None) -> None:
    """Write the account whole or not at all, readable by its owner alone from the first byte. Raises OSError."""
    file = file or path()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(file):
        _write(account, file)


def _write(account: Account, file: Path) -> None:
    fields = {name: getattr(account, name) for name in Account.__dataclass_fields__}
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in fields.items() if value is not None]
    head = "# Written by `homeport init`. Keep it to yourself: it has a token in it.\n"
    write_private(file, head + "".join(lines))


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold a lock that other processes take for storing. The folder has it, since the file is replaced."""
    folder = os.open(file.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):  # NFS locks no folder: there, the last to store wins
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def replace_token(old: str, new: str, file: Path | None = None) -> bool:
    """Replace a token by its successor; False when the file has another token by now. Raises OSError."""
    file = file or path()
    with _locked(file):  # an account that `homeport init` stores meanwhile is kept
        try:
            account = load(file)
        except TunnelError as error:
            raise OSError(0, error.detail) from error
        if account.token == old:
            _write(replace(account, token=new), file)
    return account.token in (old, new)


def check_token(text: str) -> str:
    """The token without white space around it. Raises ValueError, whose text is for people."""
    token = text.strip()
    if not token:
        raise ValueError("the token is empty")
    if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
        raise ValueError("this is no token: those of an edge are one word, such as hp_…")
    return token


def write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all, readable by its owner alone; on disk when this returns. Raises OSError."""
    import tempfile  # slow to import, and only needed here

    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # mode 0600
    try:
        with os.fdopen(number, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _checked(account: Account, file: Path) -> Account:
    texts = (account.url, account.token, account.ca, account.api_url, account.api_token, account.proxy)
    if not all(text is None or isinstance(text, str) for text in texts):
        raise _unusable(file, "a value that should be text is not")
    if not isinstance(account.local, bool):
        raise _unusable(file, "local is neither true nor false")
    if not isinstance(account.links, int) or not 1 <= account.links <= MAX_LINKS:
        raise _unusable(file, f"links is not a number from 1 to {MAX_LINKS}")
    try:
        _ = account.address
        check_token(account.token)
        if account.proxy not in (None, NONE):
            Proxy.parse(account.proxy, "its proxy")
    except ValueError as error:
        raise _unusable(file, str(error)) from error
    return account


def _with_local_address(account: Account) -> Account:
    """The account with the present address of this machine's edge. Raises TunnelError where there is none any more."""
    edge = local_edge.find()
    if edge is None:
        raise TunnelError(
            Reason.SETUP,
            f"this user was connected with the edge of this machine, {account.url}, which has none any more",
            "put this machine into the inventory's group `edge` again and run bin/site; or, for another edge: "
            + CONNECT,
            lasting=True,
        )
    return replace(account, url=edge.url, ca=edge.ca)


def _unusable(file: Path, reason: str) -> TunnelError:
    return TunnelError(Reason.SETUP, f"cannot use {file}: {reason}", CONNECT, lasting=True)
