"""When the editor is idle, how it is started, and which extensions are missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from homeportd.editor.extensions import missing
from homeportd.editor.model import address, is_idle, spec
from homeportd.editor.settings import EditorSettings
from homeportd.origin import EDITOR, Origin

SETTINGS = EditorSettings(
    node=Path("/n"), program=Path("/p"), data=Path("/d"), extensions=Path("/e"), path=Path("/b")
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("http://{port}.localhost:8080", "http://code.localhost:8080"),
        ("https://{port}.example.com", "https://code.example.com"),
        ("https://{port}-dev.example.com", "https://code-dev.example.com"),
        ("https://{port}-desk.tunnel.example.com", "https://code-desk.tunnel.example.com"),
    ],
)
def test_its_origin_follows_the_one_pattern(pattern, expected):
    assert Origin(pattern).of_port(EDITOR) == expected
    assert address(Origin(pattern), Path("/r/a b&c")) == f"{expected}/?folder=/r/a%20b%26c"


def test_it_is_idle_without_a_window_and_without_a_server_in_a_terminal():
    tree = frozenset((10, 11))
    assert is_idle(10_000, 8_000, 1800, [99], tree)
    assert not is_idle(10_000, 9_000, 1800, [99], tree)  # a window was open a while ago
    assert not is_idle(10_000, 8_000, 1800, [99, 11], tree)  # a dev server of a terminal listens
    assert not is_idle(10_000, 9_950, 1, [], tree)  # the heartbeat comes once in a minute


def test_it_listens_on_a_socket_alone_and_proxies_nothing():
    made = spec(SETTINGS, Path("/s"), Origin("https://{port}.example.com"), Path("/repos"))
    assert made.argv[2:4] == ("--socket", "/s")
    assert "--disable-proxy" in made.argv
    assert "--bind-addr" not in made.argv
    assert made.environment["VSCODE_PROXY_URI"] == "https://{{port}}.example.com"


def test_an_extension_is_missing_until_its_folder_is_there():
    wanted = ["Anthropic.claude-code", "ms-python.python@1.2.3", "a.b"]
    there = ["anthropic.claude-code-2.0.1-linux-x64", "ms-python.python-1.2.3", "extensions.json"]
    assert missing(wanted, there) == ["a.b"]
