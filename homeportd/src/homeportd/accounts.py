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


def user_label(uid: int) -> str:
    """The name of a user for a sentence, or `uid 1000` when it has none. May read files."""
    name = user_name(uid)
    return f"uid {uid}" if name == str(uid) else name


@cache
def own_name() -> str:
    """The name of this process's user, by its uid: $USER may name the user who started supervisord."""
    return user_name(os.getuid())
