"""CORS preflights at ports that are not open to strangers. Browsers send them without cookies, so nothing in them
can prove a right: they are answered here, and never reach a dev server.

The answer is the same for every port of this machine, whatever listens on it: it permits to ask, and the request that
follows is decided by itself.
"""

from __future__ import annotations

import re
from typing import Final

from homeportd.gateway.answers import Answer
from homeportd.gateway.origin_mapping import OriginMap, port_of
from homeportd.gateway.request import AuthRequest

MAX_AGE_S: Final = 60  # for which a browser does not ask again, whatever becomes of the share
MAX_NAMES: Final = 2048  # bytes of header names

_METHOD = re.compile(r"[A-Z]{1,20}")
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z, -]*")


def preflight(request: AuthRequest, own: OriginMap, visited: str) -> Answer | None:
    """The answer to the preflight of a page at any port's origin; None for a page from elsewhere."""
    of_a_port = any(port_of(request.origin, each, own.port) for each in (visited, own.public))
    if not of_a_port and own.label(request.origin, visited) is None:
        return None
    names = request.requested_headers
    if (
        not _METHOD.fullmatch(request.requested_method)
        or len(names) > MAX_NAMES
        or not _NAMES.fullmatch(names)
    ):
        return None
    answer = Answer(204)
    answer.add("access-control-allow-origin", request.origin)
    answer.add("access-control-allow-credentials", "true")
    answer.add("access-control-allow-methods", request.requested_method)
    if names:
        answer.add("access-control-allow-headers", names)
    answer.add("access-control-max-age", str(MAX_AGE_S))
    answer.add("vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
    return answer.add("cache-control", "no-store")
