"""Errors of git as one sentence with a fix. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from homeportd.errors import HomeportError
from homeportd.repos.address import Address
from homeportd.repos.model import without_credentials

SETTINGS: Final = "homeport settings set github.token"
MAX_SAID: Final = 300  # characters of git's own words


@dataclass(frozen=True)
class Remote:
    """The other side, as far as a sentence needs it: an address without credentials, and its host, "" for a folder."""

    address: str
    host: str
    known_as: str = ""  # its name in known_hosts
    token_setting: str | None = None  # where the token for this host is set; None: for no such host

    @classmethod
    def of(cls, address: Address, token_setting: str | None = None) -> Remote:
        """The other side of an address."""
        known_as = f"[{address.host}]:{address.port}" if address.port is not None else address.host
        return cls(without_credentials(address.url), address.host, known_as, token_setting)


def explain(said: Sequence[str], remote: Remote) -> HomeportError:
    """The error for what git wrote on standard error, with `LC_ALL=C`."""
    text = "\n".join(said)
    for pattern, make in _KNOWN:
        match = re.search(pattern, text, re.IGNORECASE)
        if match is not None:
            return HomeportError(*make(remote, match))
    fatal = next((line for line in reversed(said) if re.match(r"(fatal|error|ERROR): ", line)), None)
    last = fatal or (said[-1] if said else "it said nothing")
    clean = without_credentials(re.sub(r"^(fatal|error|ERROR): +", "", last))[:MAX_SAID]
    return HomeportError(
        f"git failed: {clean}", "homeport jobs shows the number of the job, whose log has more"
    )


def _login(remote: Remote, refused: bool) -> tuple[str, str]:
    said = "refuses the token" if refused else "wants a login, or has no such repository"
    if remote.token_setting is None:
        fix = f"check the address; for a private repository: its SSH address, or git credentials for {remote.host}"
    else:
        fix = f"check the address; for a private repository: homeport settings set {remote.token_setting}"
    return f"{remote.host or remote.address} {said}: {remote.address}", fix


def _no_repo(remote: Remote) -> tuple[str, str]:
    hint = (
        "the right to read it"
        if not remote.token_setting
        else f"its token: homeport settings set {remote.token_setting}"
    )
    return f"no such repository, or none that you may see: {remote.address}", f"check the address, and {hint}"


def _ssh_key(remote: Remote) -> tuple[str, str]:
    return (
        f"{remote.host} does not know this machine's SSH key, or it may not read {remote.address}",
        "add the key that homeport settings ssh-key shows at the page that it names",
    )


def _host_key(remote: Remote, file: str | None) -> tuple[str, str]:
    name = shlex.quote(remote.known_as)
    if file is not None:
        return (
            f"the SSH host key of {remote.host} is not the one that this machine knows: somebody may be in between",
            f"if whoever runs {remote.host} says that it changed: ssh-keygen -R {name} -f {shlex.quote(file)}",
        )
    return (
        f"the SSH host key of {remote.host} cannot be checked",
        f"compare it, and add it: ssh-keyscan {name} >> ~/.ssh/known_hosts",
    )


def _unreachable(remote: Remote, why: str) -> tuple[str, str]:
    return f"{remote.host or remote.address} {why}", f"check the address and the network: {remote.address}"


_DISK: Final = (
    "the disk is full, or your quota is used up",
    "make room where the repos are: df -h; then again",
)

_KNOWN: Final[tuple[tuple[str, Callable[[Remote, re.Match[str]], tuple[str, str]]], ...]] = (
    (r"No space left on device|Disk quota exceeded|File too large", lambda _r, _m: _DISK),
    (r"Offending \S+ key in (?P<file>.{1,1000}):[0-9]+", lambda r, m: _host_key(r, m["file"])),
    (r"Host key verification failed", lambda r, _m: _host_key(r, None)),
    (
        r"Remote branch (?P<name>.{1,250}) not found in upstream|couldn't find remote ref (?P<ref>.{1,250})",
        lambda r, m: (
            f"{r.address} has no branch {m['name'] or m['ref']}",
            f"choose one of: git ls-remote --heads {shlex.quote(r.address)}",
        ),
    ),
    (r"Permission denied \(publickey|Permission denied \(.*keyboard", lambda r, _m: _ssh_key(r)),
    (r"Authentication failed for|HTTP Basic: Access denied", lambda r, _m: _login(r, True)),
    (
        r"could not read Username|could not read Password|terminal prompts disabled|unable to get password",
        lambda r, _m: _login(r, False),
    ),
    (
        r"The requested URL returned error: (?P<code>401|403)|403 Forbidden|access denied",
        lambda r, _m: (
            f"{r.host or r.address} does not let you read {r.address}",
            _login(r, True)[1],
        ),
    ),
    (
        r"Repository not found|repository .{0,2000} (?:not found|does not exist)|does not appear to be a git repository"
        r"|requested URL returned error: 404|project you were looking for could not be found|Cannot find repository"
        r"|not a git repository|no such repository",
        lambda r, _m: _no_repo(r),
    ),
    (
        r"detected dubious ownership",
        lambda r, _m: (
            f"{r.address} belongs to another user of this machine",
            f"trust it once as the agent's user: git config --global --add safe.directory {shlex.quote(r.address)}",
        ),
    ),
    (
        r"could not resolve (?:host|hostname|proxy)",
        lambda r, _m: _unreachable(r, "is not a name that this machine can resolve"),
    ),
    (
        r"SSL certificate problem|server certificate verification failed|certificate has expired|tlsv1 alert",
        lambda r, _m: (
            f"the certificate of {r.host} is not one that this machine trusts",
            "add its authority: git config --global http.sslCAInfo FILE, as the agent's user",
        ),
    ),
    (
        r"requested URL returned error: 429|rate limit",
        lambda r, _m: (f"{r.host} answers no more requests for now", "wait some minutes, then again"),
    ),
    (
        r"requested URL returned error: (?P<code>5\d\d)",
        lambda r, m: _unreachable(r, f"answers with an error of its own ({m['code']})"),
    ),
    (r"timed out|Operation too slow", lambda r, _m: _unreachable(r, "does not answer")),
    (
        r"Connection refused|Failed to connect|No route to host|Network is unreachable|Connection closed by",
        lambda r, _m: _unreachable(r, "does not take connections"),
    ),
    (
        r"early EOF|RPC failed|unexpected disconnect|the remote end hung up|Connection reset|Broken pipe",
        lambda r, _m: _unreachable(r, "ended the connection"),
    ),
    (
        r"transport '(?P<name>[^']{1,40})' not allowed|Unable to find remote helper for '(?P<helper>[^']{1,40})'",
        lambda r, m: (
            f"{r.address} is reached by {m['name'] or m['helper']}, which Homeport does not use",
            "use its https:// or SSH address",
        ),
    ),
    (
        r"dumb http transport|not valid: is this a git repository|invalid server response",
        lambda r, _m: (f"{r.address} is no git repository", "check the address"),
    ),
)
