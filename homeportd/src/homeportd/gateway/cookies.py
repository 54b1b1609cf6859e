"""Homeport's cookies at the origin of a port: found among those of the app, and taken out.

A neighbouring origin may toss cookies of the same name at us, so that every value is tried (auth/cookies.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from homeportd.auth.cookies import MAX_TRIES
from homeportd.auth.signing import Signer
from homeportd.shares.model import Share

SHARE = "homeport_share"  # a visitor who knew the password
OWNER = "homeport_owner"  # the owner, by a hand-off from the dashboard
# The same two for pages of other ports of the repo, where the browser takes each port for a site of its own.
SHARE_FOR_REPO = "homeport_share_repo"
OWNER_FOR_REPO = "homeport_owner_repo"
PASSCODE = "homeport_passcode"  # at an edge: a visitor who knew the passcode of a tunnel
SESSION = "homeport_session"  # the dashboard's own; never meant for a port
HOST_PREFIX = "__Host-"  # keeps neighbours from setting it; browsers want https for it
SHARE_COOKIE_S = 30 * 24 * 3600

_OURS = frozenset(
    prefix + name
    for name in (SHARE, OWNER, SHARE_FOR_REPO, OWNER_FOR_REPO, SESSION)
    for prefix in ("", HOST_PREFIX)
)
_MARK = b"homeport_"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")


@dataclass(frozen=True, slots=True)
class Jar:
    """A Cookie header taken apart: the values of ours, and `rest`, what is left for the dev server (latin-1).

    `share_for_repo` and `owner_for_repo` count for requests of pages of the repo's other ports, and no others.
    """

    share: tuple[str, ...]
    owner: tuple[str, ...]
    rest: bytes
    share_for_repo: tuple[str, ...] = ()
    owner_for_repo: tuple[str, ...] = ()


def prefixed(name: str, secure: bool) -> str:
    """The name under which a cookie of ours is set."""
    return HOST_PREFIX + name if secure else name


def take_apart(header: bytes, secure: bool) -> Jar:
    """The cookies of ours in a Cookie header, and the rest. With `secure`, only names with the prefix count.

    Never fails: what is not understood is the dev server's.
    """
    if _MARK not in header:
        return Jar((), (), header)
    share, owner = prefixed(SHARE, secure), prefixed(OWNER, secure)
    found: dict[str, list[str]] = {share: [], owner: [], SHARE_FOR_REPO: [], OWNER_FOR_REPO: []}
    rest = []
    for part in header.decode("latin-1").split(";"):
        name, _, value = part.partition("=")
        name = name.strip(" \t")
        if name not in _OURS:
            rest.append(part)
        elif name in found and len(found[name]) < MAX_TRIES:
            found[name].append(value.strip(' \t"'))
    left = ";".join(rest).strip(" \t;").encode("latin-1")
    for_repo = tuple(found[SHARE_FOR_REPO]), tuple(found[OWNER_FOR_REPO])
    return Jar(tuple(found[share]), tuple(found[owner]), left, *for_repo)


def take_out(header: bytes, name: str, secure: bool) -> tuple[list[str], bytes]:
    """(The values of one cookie of ours, the rest of the header)."""
    name = prefixed(name, secure)
    values: list[str] = []
    rest: list[str] = []
    for part in header.decode("latin-1").split(";"):
        found, _, value = part.partition("=")
        if found.strip(" \t") != name:
            rest.append(part)
        elif len(values) < MAX_TRIES:
            values.append(value.strip(' \t"'))
    return values, ";".join(rest).strip(" \t;").encode("latin-1")


def names_in(header: bytes) -> list[str]:
    """The names of all cookies of a header that can be named in an answer, each once."""
    names = (part.partition("=")[0].strip(" \t") for part in header.decode("latin-1").split(";"))
    return list(dict.fromkeys(name for name in names if _TOKEN.fullmatch(name)))


def setting(name: str, value: str, secure: bool, max_age_s: int, domain: str = "") -> str:
    """A Set-Cookie line, for this origin alone unless it has a `domain`; a `max_age_s` of 0 deletes it."""
    ending = ("; Secure" if secure else "") + (f"; Domain={domain}" if domain else "")
    return f"{prefixed(name, secure)}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{ending}"


def setting_for_repo(name: str, value: str, max_age_s: int) -> str:
    """A Set-Cookie line for requests across sites, for http on names of localhost.

    Browsers want Secure for that, which they take there without TLS.
    """
    return f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=None; Secure"


class ShareCookies:
    """Cookies for visitors who gave the right password: bound to the share, its generation and a last moment."""

    def __init__(self, key: bytes) -> None:
        self._signer = Signer(key, "share cookie")

    def make(self, share: Share, now: datetime) -> tuple[str, int]:
        """The value, and its lifetime in seconds: to the end of the share, thirty days at most."""
        lifetime = SHARE_COOKIE_S
        if share.expires_at is not None:
            lifetime = max(1, min(lifetime, int((share.expires_at - now).total_seconds())))
        return self._signer.sign(f"{share.port}.{share.grant}.{int(now.timestamp()) + lifetime}"), lifetime

    def read(self, value: str) -> tuple[int, str, int] | None:
        """(port, grant, last moment in epoch seconds) of a value that we signed, else None."""
        text = self._signer.verify(value)
        if text is None:
            return None
        port, _, rest = text.partition(".")
        grant, _, until = rest.rpartition(".")
        return int(port), grant, int(until)
