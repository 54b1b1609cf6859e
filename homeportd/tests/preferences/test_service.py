"""Settings that change at run time, against a real database."""

from __future__ import annotations

import sqlite3

import pytest
from pydantic import BaseModel, SecretStr

from homeportd.errors import Problem
from homeportd.preferences.service import Preferences
from homeportd.preferences.store import PreferenceStore

KEY = b"k" * 32


class Forge(BaseModel):
    """A section of a test."""

    url: str = "https://example.com"
    retries: int = 3
    token: SecretStr | None = None


async def opened(database, key=KEY):
    made = Preferences(PreferenceStore(database), key)
    made.declare("forge", Forge)
    await made.load()
    return made


async def test_changes_are_kept_and_told(database) -> None:
    preferences = await opened(database)
    told = []
    preferences.changed.subscribe(told.append)

    await preferences.update({"forge": {"retries": 5}})
    await preferences.update({"forge": {"url": "https://a.example"}})
    later = (await opened(database)).get("forge", Forge)

    assert (later.retries, later.url) == (5, "https://a.example")
    assert told == ["forge", "forge"]
    await preferences.update({"forge": {"retries": None}})
    assert preferences.get("forge", Forge).retries == 3


async def test_a_section_that_is_declared_late_has_what_was_kept(database) -> None:
    await (await opened(database)).update({"forge": {"retries": 5, "token": "ghp_secret"}})

    later = Preferences(PreferenceStore(database), KEY)
    await later.load()
    assert later.sections == {}
    later.declare("forge", Forge)
    found = later.get("forge", Forge)
    assert (found.retries, found.token.get_secret_value()) == (5, "ghp_secret")


async def test_a_secret_is_encrypted_at_rest(database, tmp_path) -> None:
    await (await opened(database)).update({"forge": {"token": "ghp_secret"}})

    assert (await opened(database)).get("forge", Forge).token.get_secret_value() == "ghp_secret"
    for file in tmp_path.glob("homeport.db*"):
        assert b"ghp_secret" not in file.read_bytes()
    assert (await opened(database, b"x" * 32)).get("forge", Forge).token is None


async def test_a_changed_secret_does_not_open(database, tmp_path) -> None:
    await (await opened(database)).update({"forge": {"token": "ghp_secret"}})
    with sqlite3.connect(tmp_path / "homeport.db") as other:
        other.execute("UPDATE preferences SET value = replace(value, '1.', '1.AAAA')")
    other.close()

    assert (await opened(database)).get("forge", Forge).token is None


async def test_a_wrong_value_changes_nothing_and_is_not_repeated(database) -> None:
    preferences = await opened(database)
    with pytest.raises(Problem, match=r"forge\.retries") as refusal:
        await preferences.update({"forge": {"token": "ghp_secret", "retries": "many"}})

    assert "ghp_secret" not in refusal.value.detail
    assert preferences.get("forge", Forge).token is None
    with pytest.raises(Problem, match="does not exist"):
        await preferences.update({"other": {}})
