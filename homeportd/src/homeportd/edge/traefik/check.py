"""The check of Traefik's files: the real program is started with them on ports of its own, and asked for errors.

Traefik has no check of its own. An unknown key ends it at once; a route that cannot be is in its API, with the reason.
https://doc.traefik.io/traefik/reference/install-configuration/configuration-options/
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

STARTED_S: Final = 20.0  # a small machine under load
TICK_S: Final = 0.05
MAX_FILE: Final = 1024 * 1024  # bytes
NO_AUTHORITY: Final = "https://127.0.0.1:9/directory"  # so that no certificate is asked for
LOOPBACK: Final = "127.0.0.1"
_SECTIONS: Final = ("routers", "services", "middlewares")

Json = dict[str, Any]


def check(program: Path, settings: Path, routes: Path | None = None) -> list[str]:
    """The errors in Traefik's settings, and in a file of routes under these; empty without any.

    Both are JSON with `#` lines at the top. Raises OSError when a file or the program cannot be used.
    """
    try:
        static = _read(settings)
        dynamic = _read(routes) if routes else None
    except ValueError as error:
        return [str(error)]
    with tempfile.TemporaryDirectory(prefix="homeport-check-") as name, _free_ports() as port:
        folder = Path(name)
        api = port()
        (folder / "routes").mkdir()
        file = folder / "traefik.yml"
        try:
            file.write_text(json.dumps(_relocated(static, folder, api, port)))
        except (AttributeError, TypeError) as error:
            return [f"{settings.name} has not the shape of Traefik's settings: {error}"]
        if dynamic is not None:
            (folder / "routes" / "routes.yml").write_text(json.dumps(dynamic))
        output = folder / "output"
        with (
            output.open("wb") as sink,
            subprocess.Popen(  # noqa: S603 - Traefik itself, named on the command line
                [program, f"--configFile={file}"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                cwd=folder,
            ) as process,
        ):
            try:
                return _wait_for_errors(process, api, _names(dynamic), output)
            finally:
                process.kill()


def _read(path: Path) -> Json:
    """A file as JSON. Raises ValueError, OSError."""
    with path.open("rb") as file:
        text = file.read(MAX_FILE + 1)
    if len(text) > MAX_FILE:
        raise ValueError(f"{path.name} is larger than {MAX_FILE} bytes")
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    try:
        found = json.loads("\n".join(lines))
    except ValueError as error:
        raise ValueError(f"{path.name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path.name} is not an object")
    return found


def _relocated(static: Json, folder: Path, api: int, port: Any) -> Json:
    """The settings with ports and files of this check's own, and with an API on port `api`."""
    entries = {
        name: {**entry, "address": f"{LOOPBACK}:{port()}"} for name, entry in static["entryPoints"].items()
    }
    found = {
        **static,
        "entryPoints": {**entries, "traefik": {"address": f"{LOOPBACK}:{api}"}},
        "api": {"insecure": True, "dashboard": False},
        "log": {**static.get("log", {}), "filePath": "", "format": "json", "level": "WARN"},
        "providers": {
            **static.get("providers", {}),
            "file": {**static.get("providers", {}).get("file", {}), "directory": str(folder / "routes")},
        },
    }
    if "accessLog" in static:
        found["accessLog"] = {**static["accessLog"], "filePath": str(folder / "access.json")}
    if "certificatesResolvers" in static:
        found["certificatesResolvers"] = {
            name: {
                "acme": {**item["acme"], "caServer": NO_AUTHORITY, "storage": str(folder / f"{name}.json")}
            }
            for name, item in static["certificatesResolvers"].items()
        }
    return found


def _names(dynamic: Json | None) -> dict[str, list[str]]:
    web = (dynamic or {}).get("http") or {}
    return {section: [f"{name}@file" for name in web.get(section) or {}] for section in _SECTIONS}


def _wait_for_errors(
    process: subprocess.Popen[bytes], api: int, wanted: dict[str, list[str]], output: Path
) -> list[str]:
    deadline = time.monotonic() + STARTED_S
    while True:
        if process.poll() is not None:
            return _errors(output) or [f"Traefik ended with status {process.returncode}"]
        seen = _raw_data(api)
        if seen is not None and all(
            name in (seen.get(section) or {}) for section in _SECTIONS for name in wanted[section]
        ):
            break
        if time.monotonic() > deadline or (seen is not None and _errors(output)):
            return _errors(output) or [f"Traefik did not take the file within {STARTED_S:g} s"]
        time.sleep(TICK_S)
    found = []
    for section in _SECTIONS:
        for name in wanted[section]:
            item = seen[section][name]
            if item.get("status", "enabled") != "enabled":
                reason = item.get("error") or item.get("err") or [item["status"]]
                text = ", ".join(reason) if isinstance(reason, list) else str(reason)
                found.append(f"{section[:-1]} {name.removesuffix('@file')}: {text}")
    return found or _errors(output)


def _raw_data(api: int) -> Json | None:
    connection = http.client.HTTPConnection(LOOPBACK, api, timeout=2)
    try:
        connection.request("GET", "/api/rawdata")
        answer = connection.getresponse()
        body = answer.read()
        found = json.loads(body) if answer.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def _errors(output: Path) -> list[str]:
    """The errors in Traefik's log, but for those about certificates, which a check cannot get."""
    found = []
    for line in output.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            found.append(line)
            continue
        if not isinstance(entry, dict) or entry.get("level") not in {"error", "fatal", "panic"}:
            continue
        text = ": ".join(str(entry[key]) for key in ("message", "error") if entry.get(key))
        if "ACME" not in text and "acme" not in str(entry.get("providerName", "")):
            found.append(text)
    return list(dict.fromkeys(found))


@contextmanager
def _free_ports() -> Iterator[Any]:
    """A function that gives a free port of loopback, another one each time."""
    given: set[int] = set()

    def port() -> int:
        while True:
            with socket.create_server((LOOPBACK, 0)) as probe:
                number: int = probe.getsockname()[1]
            if number not in given:
                given.add(number)
                return number

    yield port
