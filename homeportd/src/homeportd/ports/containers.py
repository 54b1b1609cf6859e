"""Containers behind ports, asked of Docker or podman on their own sockets.

Both answer `GET /containers/json` of the Docker Engine API. Their answers have text of whoever made the container, so
names are cut and cleaned, and a folder is a path or nothing.
"""

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from homeportd import json_text
from homeportd.ports import process
from homeportd.ports.model import Container, Owner
from homeportd.printable import printable

SYSTEM_SOCKETS = (Path("/run/docker.sock"), Path("/run/podman/podman.sock"))
USER_SOCKETS = ("podman/podman.sock", "docker.sock")  # below /run/user/<uid>
TIME_OUT_S = 1.5  # of an engine, for its whole answer
MAX_BODY = 8 * 1024 * 1024  # bytes: some thousand containers
MAX_CONTAINERS = 1024
MAX_NAME = 64  # characters
MAX_PATH = 4096
LABELS = ("com.docker.compose.", "io.podman.compose.")  # podman-compose writes both


@dataclass(frozen=True)
class Running:
    """A running container; `ports` are those of this machine that lead to it."""

    id: str
    container: Container
    folder: Path | None
    ports: frozenset[int]


def sockets_of(uid: int) -> tuple[Path, ...]:
    """Sockets of a user's container engines; the system's engines are root's."""
    if uid == 0:
        return SYSTEM_SOCKETS
    return tuple(Path(f"/run/user/{uid}") / name for name in USER_SOCKETS)


def fetch(sockets: Iterable[Path]) -> list[Any]:
    """The running containers of all engines that answer on these sockets, cut to what `read` needs.

    Blocking, TIME_OUT_S for each at most.
    """
    found: list[Any] = []
    for path in sockets:
        try:
            answer = json_text.loads(_get(path, "/containers/json"))
        except (OSError, ValueError, http.client.HTTPException):
            continue  # there is none, or it is not for us
        if isinstance(answer, list):
            found += [_cut(each) for each in answer[:MAX_CONTAINERS] if isinstance(each, dict)]
    return found


def _cut(value: dict[str, Any]) -> dict[str, Any]:
    labels = value.get("Labels")
    wanted = {prefix + key for prefix in LABELS for key in ("service", "project", "project.working_dir")}
    kept = {key: labels[key] for key in wanted & labels.keys()} if isinstance(labels, dict) else {}
    return {**{key: value.get(key) for key in ("Id", "Names", "Ports")}, "Labels": kept}


def running(answers: Any) -> tuple[Running, ...]:
    """The containers that `fetch` returned; what makes no sense is left out."""
    rows = answers if isinstance(answers, list) else []
    return tuple(one for each in rows if (one := read(each)) is not None)


def read(value: Any) -> Running | None:
    """The container in one entry of an engine's answer; None where it has no name or id."""
    try:
        name = _name(value["Names"][0].lstrip("/"))
        ports = {row.get("PublicPort") for row in value.get("Ports") or [] if row.get("Type", "tcp") == "tcp"}
        labels = {key: text for key, text in (value.get("Labels") or {}).items() if isinstance(text, str)}
        if name is None or not isinstance(value["Id"], str):
            return None
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    folder = _label(labels, "project.working_dir")
    container = Container(name, _name(_label(labels, "service")), _name(_label(labels, "project")))
    numbers = frozenset(port for port in ports if type(port) is int)
    return Running(value["Id"], container, _folder(folder), numbers)


def _label(labels: Mapping[str, str], key: str) -> str:
    return next((labels[prefix + key] for prefix in LABELS if labels.get(prefix + key)), "")


def _name(text: str) -> str | None:
    return printable(text).strip()[:MAX_NAME] or None


def _folder(text: str) -> Path | None:
    parts = text.split("/")
    fits = text.startswith("/") and text.isprintable() and len(text) <= MAX_PATH
    return Path(text) if fits and not {".", ".."} & set(parts) and any(parts) else None


def find(found: Iterable[Running], port: int, identity: str | None) -> Running | None:
    """The container with that id, or else the one that has that port."""
    both = list(found)
    by_id = next((one for one in both if identity is not None and one.id == identity), None)
    return by_id or next((one for one in both if port in one.ports), None)


def complete(owner: Owner, port: int, found: Iterable[Running]) -> Owner:
    """An owner that is a container's, described by its engine in place of its forwarder."""
    one = find(found, port, process.container_id(owner.pid))
    return owner if one is None else replace(owner, container=one.container, cwd=one.folder)


class _Answer:
    """Bytes that were received, as http.client wants to read them."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _get(path: Path, address: str) -> bytes:
    answer = http.client.HTTPResponse(cast("socket.socket", _Answer(_exchange(path, address))))
    answer.begin()
    if answer.status != 200:
        raise OSError(f"{path} answers {answer.status}")
    return answer.read()


def _exchange(path: Path, address: str) -> bytes:
    """Send a request and receive until the other side closes, as it does after one answer in HTTP/1.0."""
    until = time.monotonic() + TIME_OUT_S
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(TIME_OUT_S)
        connection.connect(str(path))
        connection.sendall(f"GET {address} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        pieces: list[bytes] = []
        size = 0
        while True:
            # One by one they could take for ever.
            connection.settimeout(max(0.001, until - time.monotonic()))
            part = connection.recv(64 * 1024)
            if not part:
                return b"".join(pieces)
            pieces.append(part)
            size += len(part)
            if size > MAX_BODY or time.monotonic() > until:
                raise OSError(f"{path} answers too much or too slowly")
