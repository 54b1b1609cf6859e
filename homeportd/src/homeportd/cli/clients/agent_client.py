"""The client of this machine's agent: its HTTP API over the unix socket `cli.sock`.

http.client of the standard library, since a third-party client costs more time to import than a whole
command may take.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from homeportd import json_text
from homeportd.cli.api_types import Port, Share
from homeportd.cli.clients import installation
from homeportd.cli.clients.installation import Installation
from homeportd.cli.errors import NOT_FOUND, REFUSED, UNREACHABLE, Failure

TIMEOUT: Final = 10.0  # seconds for each connect, send and receive
MAX_BODY: Final = 16 * 1024 * 1024  # bytes of one answer
OWN_USER: Final = "homeport"  # the account that bin/site makes, which is no person's
MAX_DETAIL: Final = 2000  # characters of an answer that are shown


class _UnixConnection(http.client.HTTPConnection):
    """HTTP/1.1 over a unix socket."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Called by http.client before the first request."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Agent:
    """A connection to the agent; use it with `with`.

    Each method takes a path below `/api`, returns the decoded JSON (None for an answer without a body),
    and raises Failure with the agent's `detail` and `fix` when it refuses.
    """

    def __init__(self, found: Installation, timeout: float = TIMEOUT) -> None:
        self._installation = found
        self._timeout = timeout
        self._connection = _UnixConnection(found.cli_socket, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next request opens one again."""
        self._connection.close()

    def get(self, path: str) -> Any:
        """GET."""
        return self._request("GET", path, None)

    def post(self, path: str, body: object = None) -> Any:
        """POST with a JSON body."""
        return self._request("POST", path, body)

    def put(self, path: str, body: object) -> Any:
        """PUT with a JSON body."""
        return self._request("PUT", path, body)

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self._request("DELETE", path, None)

    def stream(self, path: str) -> Iterator[Any]:
        """GET an endless answer of JSON lines on a connection of its own; each line is yielded as it comes.

        Raises Failure as the other methods do, and when the agent ends.
        """
        connection = _UnixConnection(self._installation.cli_socket, self._timeout)
        try:
            connection.request("GET", f"/api{path}", headers={"Accept": "application/x-ndjson"})
            answer = connection.getresponse()
            if answer.status >= 400:
                raise _refusal(answer.status, answer.read(MAX_BODY))
            if connection.sock is not None:
                connection.sock.settimeout(None)
            while line := answer.readline(MAX_BODY):
                yield json_text.loads(line)
        except OSError as error:
            raise self._unreachable(error) from error
        except (http.client.HTTPException, ValueError) as error:
            raise _not_understood(f"{type(error).__name__} on GET /api{path}") from error
        finally:
            connection.close()

    def port(self, number: int) -> Port | None:
        """A port that listens or is shared, else None."""
        try:
            found: Port = self.get(f"/ports/{number}")
        except Failure as failure:
            if failure.code == NOT_FOUND:
                return None
            raise
        return found

    def share(self, number: int) -> Share:
        """The share of a port; without one, what holds then: private."""
        try:
            found: Share = self.get(f"/ports/{number}/share")
        except Failure as failure:
            if failure.code != NOT_FOUND:
                raise
            found = {
                "port": number,
                "url": (self.get("/status")["origin"] or "").replace("{port}", str(number)),
                "mode": "private",
                "expires_at": None,
                "expired": False,
                "allow": [],
                "max_uses": None,
                "uses": 0,
                "host_header": "localhost",
                "subdomains": False,
                "generation": 0,
                "updated_at": None,
                "bound_to": None,
                "paused": None,
            }
        return found

    def _request(self, method: str, path: str, body: object) -> Any:
        headers = {"Accept": "application/json"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, f"/api{path}", payload, headers)
            answer = self._connection.getresponse()
            text = answer.read(MAX_BODY + 1)
        except OSError as error:
            self._connection.close()
            raise self._unreachable(error) from error
        except http.client.HTTPException as error:
            self._connection.close()
            raise _not_understood(f"{type(error).__name__} on {method} /api{path}") from error
        if len(text) > MAX_BODY:
            raise _not_understood(f"more than {MAX_BODY} bytes for {method} /api{path}")
        if answer.status >= 400:
            raise _refusal(answer.status, text)
        if not text:
            return None
        try:
            return json_text.loads(text)
        except ValueError as error:
            raise _not_understood(f"no JSON for {method} /api{path}") from error

    def _unreachable(self, error: OSError) -> Failure:
        path = self._installation.cli_socket
        if isinstance(error, PermissionError):
            return _not_served(owner_of(path))
        if isinstance(error, TimeoutError):
            detail = f"the agent did not answer within {self._timeout:g} s"
        elif isinstance(error, FileNotFoundError | ConnectionRefusedError):
            detail = f"the agent does not run: nobody answers at {path}"
        elif isinstance(error, ConnectionError | http.client.RemoteDisconnected):
            detail = "the agent ended while it was asked"
        else:
            detail = f"cannot reach the agent at {path}: {error.strerror or error}"
        return Failure(detail, self._installation.remedy("homeportd"), UNREACHABLE)


def connect(timeout: float = TIMEOUT) -> Agent:
    """The agent of this machine and user; the connection is opened by the first request."""
    return Agent(installation.find(), timeout)


def _not_served(owner: str) -> Failure:
    """The Failure for a user whom the agent does not serve. `owner`: the user whom it serves, by `owner_of`."""
    import shlex  # imports for a rare path
    import sys

    from homeportd.accounts import user_label

    me = user_label(os.getuid())
    named = " " not in owner
    command = ["sudo", *(["-u", owner] if named else []), "homeport", *sys.argv[1:]]
    asked = owner if named and owner != OWN_USER else "whoever set this machine up"
    return Failure(
        f"Homeport on this machine serves {owner} and root; you are {me}",
        f"ask {asked} for what you need; with the right to use sudo: {shlex.join(command)}",
        UNREACHABLE,
    )


def owner_of(path: Path) -> str:
    """The user who owns a path, by name where there is one; of its folder where the path is not there."""
    from homeportd.accounts import user_label  # an import for a rare path

    for candidate in (path, path.parent):
        try:
            uid = candidate.stat().st_uid
        except OSError:
            continue
        return user_label(uid)
    return "another user"


def is_closed(path: Path) -> bool:
    """Whether this user may not write to the agent's socket, which is for the agent's user and root."""
    try:
        return path.exists() and not os.access(path, os.W_OK)
    except PermissionError:  # of its folder
        return True


def _not_understood(what: str) -> Failure:
    return Failure(
        f"the agent's answer was not understood ({what})",
        "run bin/site, so that agent and command line are of one version",
    )


def _refusal(status: int, text: bytes) -> Failure:
    """The Failure for an answer with an error status: problem details (RFC 9457), or anything else."""
    code = NOT_FOUND if status == 404 else REFUSED
    try:
        problem = json_text.loads(text)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        problem = {}
    detail = problem.get("detail") or problem.get("title") or f"the agent answered with status {status}"
    fix = problem.get("fix") or ""
    if not fix or "/api/" in fix:  # a fix for programmers of other clients
        fix = "homeport doctor" if status >= 500 else "homeport --help"
    return Failure(str(detail)[:MAX_DETAIL], str(fix)[:MAX_DETAIL], code, status)
