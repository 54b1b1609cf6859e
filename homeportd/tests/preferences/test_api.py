"""Settings by the API of a whole agent."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home of its own, where git's config is written."""
    monkeypatch.setenv("HOME", str(tmp_path))


async def test_settings_are_shown_without_secrets_and_changed_in_parts(peer, visitor) -> None:
    first = (await peer.get("/api/settings")).json()
    assert first["github"] == {"url": "https://github.com", "token": False}

    changed = await peer.put(
        "/api/settings", json={"github": {"token": "ghp_secret"}, "git": {"name": "Ada"}}
    )
    assert changed.json()["github"] == {"url": "https://github.com", "token": True}
    assert "ghp_secret" not in changed.text
    assert (await peer.put("/api/settings", json={"github": {"token": None}})).json()["github"][
        "token"
    ] is False
    assert (await peer.get("/api/settings")).json()["git"]["name"] == "Ada"
    assert (await visitor.get("/api/settings")).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"github": {"url": "http://example.com"}},
        {"github": {"url": "https://ada:secret@example.com"}},
        {"github": {"token": "two words"}},
        {"git": {"name": "Ada <ada@example.com>"}},
        {"git": {"other": "x"}},
        {"other": {}},
        {"servers": {"idle_stop_s": False}},
    ],
)
async def test_wrong_settings_are_refused(peer, body) -> None:
    refused = await peer.put("/api/settings", json=body)
    assert refused.status_code == 422
    assert "secret" not in refused.text
