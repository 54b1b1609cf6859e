"""Denials as programs get them: problem details with the next step."""

from __future__ import annotations

from homeportd.gateway.answers import Answer, problem
from homeportd.gateway.request import AuthRequest
from homeportd.origin import EDITOR
from homeportd.shares.model import Decision

_DENIALS = {  # status, detail, fix
    Decision.DENIED_EXPIRED: (410, "this share has ended", "ask the person who shared it to share it again"),
    Decision.DENIED_NETWORK: (
        403,
        "{client} is in no network that this is shared with",
        "ask its owner to add it",
    ),
    Decision.DENIED_USES: (
        403,
        "the password was used as often as it may be",
        "ask its owner for a new one",
    ),
    Decision.DENIED_ORIGIN: (
        403,
        "the request comes from no page of port {port}, nor of another port of its repo; for such a request its cookie"
        " does not count",
        "ask from a page of this port, or without the cookie: with a token as Bearer, or the share's password",
    ),
}


def denial_to_repo(request: AuthRequest, public: str) -> Answer:
    """The denial of a request that a page of another port of the repo sent without a cookie that counts here.

    The page may read it: its developer sees the next step, not a failure of CORS. `public`: the port's origin.
    """
    fix = (
        f"open {public} once in this browser, and let the page ask with credentials: include; where the browser keeps"
        " cookies of sites apart: homeport_origin: http://{port}.dev.localhost:8080 in the inventory"
    )
    answer = problem(
        401, f"port {request.port} is not open to everybody, and no cookie of its came with the request", fix
    )
    answer.add("access-control-allow-origin", request.origin)
    answer.add("access-control-allow-credentials", "true")
    return answer.add("vary", "Origin")


def denial(request: AuthRequest, decision: Decision, wait_s: float) -> Answer:
    """The problem details of a denial; `wait_s`: seconds until this address may give a password again."""
    match decision:
        case Decision.DENIED_PASSWORD:
            answer = problem(
                401,
                f"port {request.port} is shared with a password",
                "send it as HTTP Basic: curl -u :PASSWORD",
            )
            # A browser would cover the page with a dialog of its own.
            return (
                answer
                if request.from_browser
                else answer.add("www-authenticate", 'Basic realm="Homeport", charset="UTF-8"')
            )
        case Decision.DENIED_LIMIT:
            answer = problem(
                429, "too many wrong passwords from this address", "wait, and ask for the right password"
            )
            return answer.add("retry-after", str(max(1, int(wait_s))))
        case Decision.DENIED_PAUSED:
            fix = "ask its owner, who can let it go on: homeport share PORT --resume"
            answer = problem(503, f"the share of port {request.port} is paused", fix)
            return answer.add("retry-after", "30")
    if decision in _DENIALS:
        status, detail, fix = _DENIALS[decision]
        return problem(status, detail.format(client=request.client, port=request.port), fix)
    fix = "log in to the dashboard in this browser, or send a token (homeport token create) as Bearer"
    what = "the editor" if request.port == EDITOR else f"port {request.port}"
    return problem(401, f"{what} is private", fix).add("www-authenticate", 'Bearer realm="Homeport"')
