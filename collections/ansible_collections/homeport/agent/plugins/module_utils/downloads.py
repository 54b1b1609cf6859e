"""Downloads of upstream releases: whole files with a known SHA-256, and nothing else.

A download that breaks off is continued where the server can do that, by the next try and by the next run. Everything
here runs on the target, so it keeps to the standard library and Ansible's.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
from pathlib import Path
from urllib.parse import urlsplit

from ansible.module_utils.urls import open_url

SECONDS = 30  # without a byte
MOST_SECONDS = 1800  # for one file, with all its tries
MOST_BYTES = 2 * 1024**3  # a larger file is no program
CHUNK = 256 * 1024  # bytes
TRIES = 3
PAUSE_SECONDS = 1.0
PASSING = {408, 425, 429, 500, 502, 503, 504}  # statuses that may be others in a moment
RANGE = re.compile(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)")


class DownloadError(Exception):
    """What kept a file from coming: `error` and `fix`, one line each."""

    def __init__(self, error: str, fix: str) -> None:
        super().__init__(error)
        self.error = error
        self.fix = fix


class _Broken(Exception):
    """The connection ended early, or the server was busy; what came stays."""


def fetch(url: str, sha256: str, part: Path) -> None:
    """Let `part` be the file at a URL; what is there of it already is continued. Raises DownloadError, OSError."""
    deadline = time.monotonic() + MOST_SECONDS
    problem = ""
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE_SECONDS)
        resumed = part.exists() and part.stat().st_size > 0
        try:
            if not (resumed and _sha256(part) == sha256):
                _continue(url, part, deadline)
        except _Broken as error:
            problem = str(error)
            continue
        except DownloadError:
            # The next run may have another address.
            part.unlink(missing_ok=True)
            raise
        found = _sha256(part)
        if found == sha256:
            return
        part.unlink()
        if not resumed:
            raise DownloadError(
                f"{shown(url)} has the SHA-256 {found}, and {sha256} was expected",
                "compare both with the checksums that the project publishes; correct the sha256, or use another url",
            )
        problem = "what was continued is not the file"
    raise DownloadError(
        f"{shown(url)} could not be downloaded: {problem}",
        "see whether this machine reaches that server (its route, firewall, proxy); "
        "what came is continued by the next run",
    )


def shown(url: str) -> str:
    """A URL as messages have it: without user, password and query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _continue(url: str, part: Path, deadline: float) -> None:
    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    asked = {"http_agent": "homeport", "timeout": SECONDS, "use_netrc": False, "decompress": False}
    try:
        with open_url(url, headers=headers, **asked) as answer:
            _receive(answer, part, start, deadline)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # what is here is no beginning of what is there
            part.unlink(missing_ok=True)
            raise _Broken(f"it answers {error.code}") from error
        if error.code in PASSING:
            raise _Broken(f"it answers {error.code} {error.reason}") from error
        raise DownloadError(
            f"{shown(url)} answers {error.code} {error.reason}",
            "correct the url: the project's page of releases has the names of its files",
        ) from error
    except urllib.error.URLError as error:
        raise _Broken(str(error.reason)) from error
    except (http.client.HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # ours, not the network's
        raise _Broken(str(error) or type(error).__name__) from error


def _receive(answer: http.client.HTTPResponse, part: Path, start: int, deadline: float) -> None:
    """Write an answer behind the first `start` bytes, or anew where the server begins anew."""
    continued = RANGE.fullmatch(answer.headers.get("Content-Range", "")) if answer.status == 206 else None
    begin = start if continued and int(continued[1]) == start else 0
    if answer.status == 206 and not begin:
        part.unlink(missing_ok=True)
        raise _Broken("it continues elsewhere")
    length = answer.headers.get("Content-Length")
    size = begin
    with part.open("r+b" if begin else "wb") as file:
        file.seek(begin)
        while chunk := answer.read(CHUNK):
            size += len(chunk)
            if size > MOST_BYTES:
                raise DownloadError(
                    f"{shown(answer.url)} has more than {MOST_BYTES // 1024**3} GiB", "use another url"
                )
            if time.monotonic() > deadline:
                raise _Broken(f"it takes longer than {MOST_SECONDS} s")
            file.write(chunk)
        file.truncate()
    if length is not None and size - begin < int(length):
        raise _Broken(f"it ended after {size} of {begin + int(length)} bytes")


def _sha256(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            total.update(chunk)
    return total.hexdigest()
