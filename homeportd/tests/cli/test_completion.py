"""What Tab offers of an edge that is far away."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeportd.cli import completion

from .conftest import Homeport, offered, press_tab

FAR = 0.4  # seconds; an answer over TLS from another continent, with a slow machine there
PLACE = {"kind": "http", "name": "myapp", "port": None, "address": "https://myapp.tunnel.example.com"}
ANSWERS = {
    "/api/tunnels": [PLACE],
    "/api/reservations": [PLACE],
    "/api/domains": [{"domain": "app.example.org", "state": "issued"}],
}
ASKED = [
    (("tunnels", "kill", ""), "myapp"),
    (("reservations", "remove", ""), "myapp"),
    (("domains", "check", ""), "app.example.org"),
    (("domains", "add", "app.example.org", ""), "myapp"),
]


@contextmanager
def distant(seconds: float) -> Iterator[str]:
    """An edge's API that takes its time; its address."""
    ending = threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ending.wait(seconds)
            body = json.dumps(ANSWERS[self.path]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who asked has gone
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        ending.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def laptop(homeport: Homeport, folder: Path) -> Homeport:
    """A machine that may ask an edge's API, and is none."""
    homeport.environment |= {"HOME": str(folder), "HOMEPORT_CONFIG": str(folder / "none.toml")}
    return homeport


def use_api(laptop: Homeport, api: str) -> None:
    file = Path(laptop.environment["HOME"], ".config/homeport/edge.toml")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_text(f'url = "http://127.0.0.1:1"\ntoken = "hp_x"\napi_url = "{api}"\napi_token = "hp_y"\n')


@pytest.mark.parametrize(("words", "offer"), ASKED)
def test_an_edge_that_is_far_away_has_time_to_answer(laptop, words, offer) -> None:
    with distant(FAR) as api:
        use_api(laptop, api)
        assert offered(laptop, *words) == [offer]


@pytest.mark.parametrize(("words", "_offer"), ASKED)
def test_a_shell_does_not_wait_for_one_that_is_silent(laptop, words, _offer) -> None:
    with distant(30) as api:
        use_api(laptop, api)
        begun = time.monotonic()
        assert press_tab(laptop, *words) == []
        assert time.monotonic() - begun < 30 - 10


def test_one_wait_for_all(monkeypatch) -> None:
    monkeypatch.setattr(completion, "TIMEOUT", 0.2)
    ending = threading.Event()
    begun = time.monotonic()

    assert completion._within_timeout(lambda: [ending.wait(40)]) == []
    assert time.monotonic() - begun < 30
    ending.set()
