"""Parts that many tests stand on."""

from __future__ import annotations

import pytest

from homeportd.auth.passwords import Passwords
from homeportd.database import Database

QUICK_ROUNDS = 4  # bcrypt's least: tests prove that passwords are checked, not that it is slow


@pytest.fixture
async def database(tmp_path):
    """An empty, migrated database."""
    opened = await Database.open(tmp_path / "homeport.db")
    yield opened
    await opened.close()


@pytest.fixture
def passwords():
    """Quick password hashing."""
    made = Passwords(QUICK_ROUNDS)
    yield made
    made.close()
