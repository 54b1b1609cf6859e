"""The certificate authority's refusals, read from the end of Traefik's own log (JSON, level INFO or more).

https://doc.traefik.io/traefik/observability/logs/
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Final

from homeportd import json_text
from homeportd.clock import from_text
from homeportd.domains.model import Failure, Trouble

TAIL: Final = 1024 * 1024  # bytes at the end of the log that are searched
MAX_REASON: Final = 600  # characters

_URN: Final = re.compile(r"urn:ietf:params:acme:error:([A-Za-z]+)")
_NOISE: Final = re.compile(r"^.*?one or more domains had a problem:\s*", re.DOTALL)


def last_failure(path: Path, domain: str, since: datetime) -> Failure | None:
    """The newest refusal for a domain from `since` on (by the second); None without one. Raises OSError."""
    since = since.replace(microsecond=0)  # the log has whole seconds
    for line in reversed(_tail(path)):
        if domain.encode() not in line:
            continue
        failure = read_line(line, domain)
        if failure is not None:
            return failure if failure.at >= since else None
    return None


def read_line(line: bytes, domain: str) -> Failure | None:
    """The refusal in one line of the log; None when the line is about something else, or another domain."""
    try:
        entry = json_text.loads(line)
        moment = from_text(entry["time"])
    except (ValueError, KeyError, TypeError):
        return None
    domains, text = entry.get("domains"), entry.get("error")
    if entry.get("level") != "error" or not isinstance(text, str):
        return None
    # A renewal's line has no list, and names the domain in the error alone.
    if not (isinstance(domains, list) and domain in domains) and f"[{domain}: " not in text:
        return None
    return Failure(moment, shorten(text, domain))


def shorten(text: str, domain: str) -> str:
    """The authority's own words, without the frames that Traefik and lego put around them."""
    text = _NOISE.sub("", text)
    mark = f"[{domain}: "
    if mark in text:
        text = text[text.index(mark) + len(mark) :]
        text = text.removesuffix("]")
    text = re.sub(r"^(invalid authorization|error): ", "", " ".join(text.split()))
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON - 1]}…"


_FIXES: Final = {
    "connection": "open ports 80 and 443 of the edge to the world; the record may also lead to another machine",
    "dns": "see that the domain's name servers answer everybody, and alike; DNSSEC must be right too",
    "caa": "let the authority issue: a CAA record of the domain keeps it away",
    "rateLimited": "wait: the authority has had too many requests about this domain",
    "rejectedIdentifier": "use another domain: the authority does not issue for this one",
    "unauthorized": "see that the record leads to this edge alone, by IPv6 too, with no proxy or CDN before it",
    "tls": "see that the record leads to this edge alone, by IPv6 too, with no proxy or CDN before it",
    "malformed": "see that the record leads to this edge and is the same everywhere",
    "externalAccountRequired": "give Traefik the account that the authority asks for",
}


def trouble(failure: Failure) -> Trouble:
    """The failure as a sentence, with the next step."""
    match = _URN.search(failure.reason)
    kind = match[1] if match else ""
    if "connect" in failure.reason.lower():  # under whichever name the authority files it
        kind = "connection"
    fix = _FIXES.get(kind, "see Traefik's log on the edge")
    return Trouble(f"no certificate: {failure.reason}", fix)


def _tail(path: Path) -> list[bytes]:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL))
        return file.read(TAIL).splitlines()
