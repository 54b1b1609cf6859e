"""What visitors and the owner do inside a bare container: requests by visit.py, and the command line."""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

WAIT_S = 30  # for what comes by itself


def visit(machine: Any, *requests: dict[str, Any]) -> list[Any]:
    """What visit.py answers inside the machine, in order."""
    sent = json.dumps(requests)
    answers: list[Any] = json.loads(machine.check(f"python3 /var/tmp/visit.py <<'JSON'\n{sent}\nJSON"))
    return answers


def at(port: int, *, cookies: dict[str, str] | None = None, path: str = "/", **more: Any) -> dict[str, Any]:
    """A request to the origin of a shared port."""
    return web(f"{port}.localhost:8080", path=path, cookies=cookies, **more)


def at_edge(name: str, **more: Any) -> dict[str, Any]:
    """A request to a tunnel."""
    return web(f"{name}.tunnel.localhost:8081", **more)


def web(host: str, *, cookies: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    headers = more.pop("headers", {})
    if cookies:
        headers = {**headers, "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    return {"http": int(host.rpartition(":")[2]), "host": host, "headers": headers, **more}


def form(host: str, path: str, **fields: str) -> dict[str, Any]:
    """A page's form, as a browser sends it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    return web(host, method="POST", path=path, headers=headers, body=urlencode(fields))


def api(token: str, path: str) -> dict[str, Any]:
    """A question to the API."""
    return web("localhost:8080", path=path, headers={"Authorization": f"Bearer {token}"})


def homeport(machine: Any, command: str, user: str = "root") -> str:
    """The output of a command, found as a login shell finds it."""
    output: str = machine.check(f"bash -lc {json.dumps('homeport ' + command)}", user=user)
    return output


def wait_for(check: Callable[[], Any]) -> Any:
    """The first true value that `check` returns within WAIT_S."""
    end = time.monotonic() + WAIT_S
    while not (found := check()) and time.monotonic() < end:
        time.sleep(0.3)
    assert found
    return found
