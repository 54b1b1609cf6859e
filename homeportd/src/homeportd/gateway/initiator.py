"""Initiators: the page that made a browser send a request, and what a cookie proves in a request of such a page.

Browsers attach cookies whoever asks. Ports of one domain are one site to them, so SameSite does not help; Origin and
Fetch metadata, which no page can forge, say who asked.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from homeportd.gateway.origin_mapping import OriginMaps, below, origin_of_url, port_of
from homeportd.gateway.request import AuthRequest

SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))


class Initiator(StrEnum):
    """Relation of the initiator to the port."""

    SAME_ORIGIN = "same-origin"  # the port's own page, or the person by hand
    SAME_REPO = "same-repo"  # a page of another port of the same repo, or of another name of this one
    FOREIGN = "foreign"
    UNKNOWN = "unknown"  # no browser, or one that sends no Fetch metadata to http


def initiator_of(request: AuthRequest, maps: OriginMaps) -> Initiator:
    """The initiator of a request."""
    if request.origin and request.origin != "null":
        return _by_origin(request.origin, request, maps)
    if request.fetch_site in ("same-origin", "none"):
        return (
            Initiator.SAME_ORIGIN
        )  # with a referrer policy that hides it, a page's own form has Origin null
    if request.fetch_site:
        # Images and scripts of another port carry no Origin, but a Referer.
        readable = request.method in ("GET", "HEAD") and not request.upgrade and not request.origin
        by_referer = _by_origin(origin_of_url(request.referer), request, maps) if readable else None
        return Initiator.SAME_REPO if by_referer is Initiator.SAME_REPO else Initiator.FOREIGN
    return Initiator.FOREIGN if request.origin else Initiator.UNKNOWN


def _by_origin(origin: str, request: AuthRequest, maps: OriginMaps) -> Initiator:
    own, visited = maps.of(request.port), maps.visited(request)
    if origin in (below(visited, request.label), below(own.public, request.label)):
        return Initiator.SAME_ORIGIN
    if own.subdomains and (origin in (visited, own.public) or own.label(origin, visited) is not None):
        return Initiator.SAME_REPO  # the same server, by another of its names
    number = port_of(origin, visited, own.port) or port_of(origin, own.public, own.port)
    return Initiator.SAME_REPO if number in own.siblings else Initiator.FOREIGN


def cookie_counts(request: AuthRequest, initiator: Initiator) -> bool:
    """Whether a cookie of the owner's or of a visitor's proves anything in this request.

    What changes something, or opens a WebSocket, must come from a page of the port, or of the same repo; a foreign
    page may only lead a person here.
    """
    if request.upgrade or request.method not in SAFE_METHODS:
        return initiator in (Initiator.SAME_ORIGIN, Initiator.SAME_REPO)
    if initiator is Initiator.FOREIGN:
        return request.method == "GET" and request.fetch_mode == "navigate"
    return True
