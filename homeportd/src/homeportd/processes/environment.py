"""The environment that a process gets: the user's own, without what the agent was started with."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PASSED_ON: Final = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "http_proxy", "https_proxy", "no_proxy")
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE")


def user_environment() -> dict[str, str]:
    """What a login of the agent's user has at least."""
    account = pwd.getpwuid(os.getuid())
    home = os.environ.get("HOME", account.pw_dir)
    passed = {name: os.environ[name] for name in (*_PASSED_ON, *_CERTIFICATES) if name in os.environ}
    runtime = Path(f"/run/user/{os.getuid()}")
    session = {"XDG_RUNTIME_DIR": str(runtime)} if runtime.is_dir() else {}
    return {
        "LANG": "C.UTF-8",
        **passed,
        **session,
        "HOME": home,
        "USER": account.pw_name,
        "LOGNAME": account.pw_name,
        "SHELL": account.pw_shell or "/bin/sh",
        "PATH": f"{home}/.local/bin:{home}/bin:{os.environ.get('PATH', SYSTEM_PATH)}",
    }


def environment(own: Mapping[str, str], *, terminal: bool) -> dict[str, str]:
    """The whole environment of a process: the user's, then `own`."""
    colours = {"TERM": "xterm-256color", "COLORTERM": "truecolor"} if terminal else {"TERM": "dumb"}
    return {**user_environment(), **colours, **own}
