"""The pages of Homeport that a visitor of a port sees: plain HTML, no script, in the dashboard's look."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from html import escape
from typing import Final

from homeportd.gateway.answers import Answer
from homeportd.shares.model import Decision

REFRESH_S = 2

_STYLE = """
:root{color-scheme:light}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:#fbfbf9;color:#1a1c1e;
font:0.9375rem/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{box-sizing:border-box;width:100%;max-width:25rem;padding:1.5rem}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 .5rem}
p{margin:0 0 1rem;color:#4a4f55;overflow-wrap:anywhere}
code{font-family:ui-monospace,"SF Mono","DejaVu Sans Mono",monospace}
label{display:block;font-weight:600;margin-bottom:.25rem}
input{box-sizing:border-box;width:100%;min-height:44px;padding:.5rem .75rem;font:inherit;font-size:1rem;
color:#1a1c1e;background:#fff;border:1px solid #83888e;border-radius:.5rem}
button{box-sizing:border-box;width:100%;min-height:44px;margin:1rem 0;font:inherit;font-weight:600;color:#fff;
background:#0b4a86;border:0;border-radius:.5rem;cursor:pointer}
button:hover{background:#08386a}
:focus-visible{outline:2px solid #0b4a86;outline-offset:2px}
.wrong{color:#94160e;font-weight:600}
footer{margin-top:1.5rem;padding-top:.75rem;border-top:1px solid #e5e5df;font-size:.8125rem}
a{color:#0b4a86;display:inline-block;padding:.75rem 0}
"""
_STYLE_HASH = b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)


_DELETE_COOKIES = (
    "<p>Deleting them logs you out of the apps of this site, and of Homeport.</p>"
    '<form method="post" action="/.homeport/cookies"><button>Delete the cookies of this site</button></form>'
)


PASSCODE_FORM: Final = "/.homeport/passcode"  # of a tunnel, at its edge


def _page(status: int, title: str, content: str, *, owner_link: str | None, refresh: bool = False) -> Answer:
    again = f'<meta http-equiv="refresh" content="{REFRESH_S}">' if refresh else ""
    foot = (
        f'<footer><a href="{escape(owner_link)}">This is my machine: open it as its owner</a></footer>'
        if owner_link
        else ""
    )
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{again}'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>{content}{foot}</main></body></html>\n"
    )
    answer = Answer(status, body=text.encode())
    answer.add("content-type", "text/html; charset=utf-8").add("cache-control", "no-store")
    answer.add("content-security-policy", _POLICY).add("x-content-type-options", "nosniff")
    # Not no-referrer: with that, browsers send the form with `Origin: null`.
    return answer.add("referrer-policy", "same-origin")


def password(port: int, next_path: str, owner_link: str, *, wrong: bool = False) -> Answer:
    """The form for the password of a share; `wrong`: the last one was."""
    return _form(f"Port {port} of this machine", next_path, owner_link, wrong=wrong)


def passcode(host: str, next_path: str, *, wrong: bool = False) -> Answer:
    """The form for the passcode of a tunnel, without a link for its owner."""
    return _form(host, next_path, None, wrong=wrong, action=PASSCODE_FORM)


def _form(
    what: str, next_path: str, owner_link: str | None, *, wrong: bool, action: str = "/.homeport/password"
) -> Answer:
    message = (
        '<p class="wrong" id="wrong" role="alert">This is not the password. Try again.</p>' if wrong else ""
    )
    described = ' aria-describedby="wrong" aria-invalid="true"' if wrong else ""
    content = (
        f"<p>{escape(what)} is shared with whoever knows its password.</p>{message}"
        f'<form method="post" action="{action}">'
        f'<input type="hidden" name="next" value="{escape(next_path)}">'
        '<label for="password">Password</label>'
        '<input id="password" name="password" type="password" autocomplete="current-password"'
        f' required autofocus{described}><button type="submit">Open</button></form>'
    )
    return _page(401, "Password needed", content, owner_link=owner_link)


def too_many(wait_s: float, owner_link: str | None) -> Answer:
    """Too many wrong passwords from this address; `wait_s` until the next may be given."""
    minutes = max(1, -(-int(wait_s) // 60))
    unit = "minute" if minutes == 1 else "minutes"
    answer = _page(
        429,
        "Too many wrong passwords",
        f"<p>You can try again in {minutes} {unit}. Whoever shared this knows the right password.</p>",
        owner_link=owner_link,
    )
    return answer.add("retry-after", str(max(1, int(wait_s))))


def private(owner_link: str) -> Answer:
    """The port is its owner's alone, who is asked to come by another way."""
    return _page(
        401,
        "This port is private",
        "<p>Only the owner of the machine can open it.</p>",
        owner_link=owner_link,
    )


def expired(owner_link: str) -> Answer:
    """The share's time is over."""
    return _page(
        410,
        "This share has ended",
        "<p>It was open until a moment that has passed. Ask the person who shared it to share it again.</p>",
        owner_link=owner_link,
    )


def network(client: str, owner_link: str) -> Answer:
    """The visitor's network is not among those allowed."""
    return _page(
        403,
        "Not from this network",
        "<p>This is shared with certain networks only, and your address"
        f" <code>{escape(client)}</code> is in none of them. Ask the person who shared it to add yours.</p>",
        owner_link=owner_link,
    )


def used_up(owner_link: str) -> Answer:
    """The password was used as often as it may be."""
    return _page(
        403,
        "This password is used up",
        "<p>It could be used so many times, and has been. Ask the person who shared it for a new one.</p>",
        owner_link=owner_link,
    )


def paused(port: int, owner_link: str) -> Answer:
    """Something else listens on the port than what was shared."""
    return _page(
        503,
        "This share is paused",
        f"<p>What was shared on port {port} does not run now, and another program has the port."
        " It goes on when the right one is back, or when its owner says so.</p>",
        owner_link=owner_link,
    ).add("retry-after", "30")


def link_used(owner_link: str) -> Answer:
    """The one-time code of a hand-off is not good any more."""
    return _page(
        410,
        "This link was used already",
        "<p>Such a link works once, within a minute, in the browser and from the address that it was made for.</p>",
        owner_link=owner_link,
    )


def too_many_cookies(size: int) -> Answer:
    """More cookies than a server takes; the form deletes them."""
    return _page(
        431,
        "This site has too many cookies",
        f"<p>Your browser sends {-(-size // 1024)} KiB of them with each request, more than a dev server takes. Any"
        " page of a neighbouring name can have set them.</p>" + _DELETE_COOKIES,
        owner_link=None,
    )


def delete_cookies() -> Answer:
    """The way out where a dev server itself refuses the cookies: the form deletes them."""
    return _page(200, "Delete the cookies of this site", _DELETE_COOKIES, owner_link=None)


def cookies_deleted() -> Answer:
    """The cookies were deleted."""
    return _page(
        200,
        "The cookies of this site are deleted",
        "<p>You may have to log in again. Where they come back, or are still there, delete them in the settings of your"
        ' browser.</p><p><a href="/">Open the page again</a></p>',
        owner_link=None,
    )


def not_listening(port: int) -> Answer:
    """The visitor is allowed, and nothing listens on the port."""
    return _page(
        502,
        f"Nothing listens on port {port} yet",
        f"<p>As soon as a server starts there, you will see it here. This page looks every {REFRESH_S} seconds.</p>",
        owner_link=None,
        refresh=True,
    )


def starting(port: int) -> Answer:
    """The visitor is allowed, and the server of the port has just been started for them."""
    return _page(
        503,
        "The server is starting",
        f"<p>What is served on port {port} was stopped while nobody used it. You will see it here as soon as it"
        " listens.</p>",
        owner_link=None,
        refresh=True,
    ).add("retry-after", str(REFRESH_S))


def editor_starting() -> Answer:
    """The owner has asked for the editor, which starts because of it; the page goes there when it answers."""
    return _page(
        503,
        "The editor is starting",
        "<p>You will see it here as soon as it answers.</p>",
        owner_link=None,
        refresh=True,
    ).add("retry-after", str(REFRESH_S))


def outside(port: int) -> Answer:
    """The visitor is allowed, and the port is outside the ranges that Homeport looks at."""
    return _page(
        502,
        f"Port {port} is not served here",
        "<p>It is outside the port ranges that Homeport looks at on this machine. Its owner can add it to"
        " <code>homeport_port_ranges</code>.</p>",
        owner_link=None,
    )


def silent(port: int) -> Answer:
    """The dev server closed the connection or refused it."""
    return _page(
        502,
        f"Port {port} does not answer",
        "<p>The server on it has stopped, or broke off before it answered. This page tries again every"
        f" {REFRESH_S} seconds.</p>",
        owner_link=None,
        refresh=True,
    )


def no_http(port: int) -> Answer:
    """The server speaks neither HTTP nor HTTPS."""
    return _page(
        502,
        f"Port {port} is no website",
        "<p>The server on it speaks something else than HTTP, so that a browser gets nothing there. Its owner can give"
        f" it an address for other programs: <code>homeport tcp {port}</code></p>",
        owner_link=None,
    )


def no_answer_by_h2c(port: int) -> Answer:
    """The server speaks HTTP/2 in clear, and has not answered: those of gRPC answer programs alone."""
    return _page(
        502,
        f"Port {port} answers no browser",
        "<p>The server on it speaks HTTP/2 in clear, as servers of gRPC do. Programs reach it at this address, by"
        f" HTTP/2 in clear, or at one that its owner makes: <code>homeport tcp {port}</code></p>",
        owner_link=None,
        refresh=True,
    )


def busy(detail: str) -> Answer:
    """Too many requests are under way; trying again a little later helps."""
    return _page(
        503,
        "One moment",
        f"<p>{escape(detail)}. Go back and try again in a few seconds.</p>",
        owner_link=None,
    ).add("retry-after", "5")


def message(status: int, title: str, detail: str, owner_link: str | None) -> Answer:
    """A page of one sentence."""
    return _page(status, title, f"<p>{escape(detail)}</p>", owner_link=owner_link)


def refusal(decision: Decision, port: int, client: str, wait_s: float, owner_link: str) -> Answer:
    """The page for a denial that no password on this page can lift."""
    match decision:
        case Decision.DENIED_LIMIT:
            return too_many(wait_s, owner_link)
        case Decision.DENIED_EXPIRED:
            return expired(owner_link)
        case Decision.DENIED_NETWORK:
            return network(client, owner_link)
        case Decision.DENIED_USES:
            return used_up(owner_link)
        case Decision.DENIED_PAUSED:
            return paused(port, owner_link)
    return message(403, "Not open to you", "This port is not shared with you.", owner_link)
