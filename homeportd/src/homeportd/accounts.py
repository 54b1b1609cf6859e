"""Names of the machine's accounts."""

from __future__ import annotations

import os
import pwd
from functools import cache, lru_cache


@lru_cache(maxsize=256)
def user_name(uid: int) -> str:
    """The name of a user, or the number when it has none (a container's user, say). May read files."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@cache
def own_name() -> str:
    """The name of this process's user."""
    return user_name(os.getuid())
