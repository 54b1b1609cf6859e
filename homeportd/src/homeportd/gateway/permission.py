"""The answers by which Caddy lets a request pass, without what is Homeport's own in it."""

from __future__ import annotations

from typing import Final

from homeportd.gateway.answers import Answer, Headers
from homeportd.gateway.authenticator import AuthResult
from homeportd.gateway.request import AuthRequest

# Statuses that allow a request; Caddy changes its headers by them.
UNCHANGED: Final = 200
WITHOUT_COOKIES: Final = 203  # Cookie is to be deleted
REWRITTEN: Final = 207  # Cookie, Authorization and Origin are to be as the answer has them


def permission(
    request: AuthRequest, result: AuthResult, decision: Headers, origin: str, told: Headers | None = None
) -> Answer:
    """Let a request pass with this Origin. `decision` is for Caddy; `told`: what else of its headers is to change."""
    is_ours = bool(request.authorization) and result.credential_is_ours
    if not told and origin == request.origin and not is_ours:
        if result.cookie == request.cookie:
            return Answer(UNCHANGED, decision)
        if not result.cookie:
            return Answer(WITHOUT_COOKIES, decision)
    if result.cookie:
        decision.append((b"cookie", result.cookie))
    if request.authorization and not is_ours:
        decision.append((b"authorization", request.authorization.encode("latin-1")))
    if origin:
        decision.append((b"origin", origin.encode("latin-1")))
    return Answer(REWRITTEN, decision + told if told else decision)
