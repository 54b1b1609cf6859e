"""Addresses of repositories, as people write them. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from homeportd.errors import invalid
from homeportd.printable import printable
from homeportd.repos.model import without_credentials

MAX_ADDRESS: Final = 2048  # characters
_SHORT: Final = re.compile(r"(?P<owner>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))/(?P<name>[A-Za-z0-9._-]{1,100})")
_SCP: Final = re.compile(
    r"(?:(?P<user>[A-Za-z0-9._-]+)@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]):(?P<path>[^:].*)"
)
_WRITE: Final = "write https://HOST/OWNER/NAME, git@HOST:OWNER/NAME, or OWNER/NAME for one at GitHub"


@dataclass(frozen=True)
class Address:
    """An address that git takes: `url` without a password, and what is known of it.

    `scheme` is https, http, ssh, git or file. `host` is without port, "" for a folder of this machine; `netloc` has the
    port. `name` is the last part of its path, without `.git`. `dropped`: a user name that stood in it was left out.
    """

    url: str
    scheme: str
    host: str
    netloc: str
    name: str
    dropped: bool = False

    @property
    def port(self) -> int | None:
        """The port that stands in it."""
        port = (
            self.netloc[len(self.netloc.rpartition(":")[0]) :].removeprefix(":")
            if "]" not in self.netloc
            else ""
        )
        return int(port) if port.isdigit() and ":" in self.netloc else None

    @property
    def local(self) -> bool:
        """Whether it is a folder of this machine."""
        return self.scheme == "file"


def parse(text: str, github: str = "https://github.com") -> Address:
    """An address; `github` is the base of OWNER/NAME. Raises Problem 422."""
    text = text.strip()
    if not text:
        raise invalid("the address is empty", _WRITE)
    if len(text) > MAX_ADDRESS or not text.isprintable():
        raise invalid(
            f"the address is longer than {MAX_ADDRESS} characters, or has some that cannot be shown", _WRITE
        )
    short = _SHORT.fullmatch(text)
    if short and short["name"] not in (".", ".."):
        name = short["name"].removesuffix(".git")
        return parse(f"{github.rstrip('/')}/{short['owner']}/{name}.git")
    if text.startswith("/"):
        return Address(text, "file", "", "", _name(text))
    if "://" in text:
        return _of_url(text)
    scp = _SCP.fullmatch(text)
    if scp and "::" not in text:
        host = scp["host"].strip("[]").lower()
        return Address(text, "ssh", host, host, _name(scp["path"]))
    raise invalid(f"{text[:200]!r} is no address of a repository", _WRITE)


def shown(address: Address) -> str:
    """The address in a title: `github.com/owner/name`, or a path."""
    text = without_credentials(address.url)
    return text.removeprefix("https://").removesuffix(".git") if address.scheme == "https" else text


def without_user(url: str) -> str:
    """The address without the user and password of an http address."""
    parts = urlsplit(url) if "://" in url else None
    if parts is None or parts.scheme.lower() not in ("http", "https"):
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _of_url(text: str) -> Address:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise invalid(f"{text[:200]!r} is no address of a repository", _WRITE) from None
    scheme = parts.scheme.lower()
    if scheme == "file" and host in ("", "localhost") and parts.path.startswith("/"):
        return Address(unquote(parts.path), "file", "", "", _name(parts.path))
    if scheme not in ("https", "http", "ssh", "git") or not host or host.startswith("-"):
        raise invalid(f"{scheme or text[:50]!r} is nothing that Homeport clones from", _WRITE)
    if parts.password is not None:
        raise invalid(
            "the address has a password in it, which would stand in the repository's config for all to read",
            "leave it out, and give the token once: homeport settings set github.token",
        )
    netloc = host if ":" not in host else f"[{host}]"
    netloc += f":{port}" if port is not None else ""
    user = parts.username if scheme == "ssh" else None
    clean = SplitResult(scheme, f"{user}@{netloc}" if user else netloc, parts.path, "", "")
    dropped = parts.username is not None and user is None
    return Address(clean.geturl(), scheme, host, netloc, _name(parts.path), dropped)


def _name(path: str) -> str:
    last = unquote(path).rstrip("/").removesuffix("/.git").rpartition("/")[2].removesuffix(".git")
    return printable(last)
