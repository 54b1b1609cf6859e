"""Databases of other releases: with more migrations than this one has, or fewer."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from homeportd import database
from homeportd.database import migrations

# A migration that adds a table and a column.
NEXT = """
CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
ALTER TABLE shares ADD COLUMN note TEXT NOT NULL DEFAULT '';
"""
Release = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def later_release() -> Release:
    """`with later_release(*scripts)`: databases are opened by a release with these migrations more (default: NEXT)."""
    return lambda *scripts: _with([*migrations(), *(scripts or (NEXT,))])


@pytest.fixture
def earlier_release() -> Release:
    """`with earlier_release(schema)`: databases are opened by a release with so many migrations."""
    return lambda schema: _with(migrations()[:schema])


@contextmanager
def _with(steps: list[str]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "migrations", lambda: steps)
        yield
