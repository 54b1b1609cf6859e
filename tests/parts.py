"""Real third-party programs for tests: `from parts import part`, then `part("gitea") / "bin/gitea"`.

bin/real-parts makes them into a cache outside the tree. A test that needs one that is not there is left out, with the
part's name and the command that makes it as the reason, which the report of bin/test shows.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from third_party import cache
from third_party.catalogue import PARTS, with_needs
from third_party.making import environment


def part(name: str) -> Path:
    """The folder of a part, in which its programs are; skips the test without it. Raises KeyError for no part."""
    for needed in with_needs([name]):
        if reason := _lack(needed.name):
            pytest.skip(f"left out: {reason}")
    return cache.path_of(PARTS[name])


def environment_of(name: str) -> dict[str, str]:
    """The environment in which a part's programs run: those of npm find the Node.js that they were made with."""
    return environment(PARTS[name])


@functools.cache
def _lack(name: str) -> str:
    """Why a part cannot be used, empty where it can; looked at once in a run."""
    state = cache.state(PARTS[name])
    if state.name == "made":
        return ""
    what = f"damaged ({state.problem})" if state.name == "damaged" else "not made"
    return f"part {name} is {what}: bin/real-parts {name}, about {PARTS[name].seconds} s"
