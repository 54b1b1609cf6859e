"""Objects of the API as phrases for people: what a port is, who may open it, until when."""

from __future__ import annotations

import shlex
from datetime import datetime

from homeportd.cli.api_types import Port, Program, Repo, Share
from homeportd.cli.output.terminal import Cell, Style
from homeportd.clock import from_text
from homeportd.tunnels.status import TunnelStatus

_STYLES = {"private": Style.GREY, "password": Style.AMBER, "public": Style.GREEN}
INIT_NEWER = "homeport init --token-stdin with the newer one, which `homeport token rotate` showed"
_UNITS = ("B", "kB", "MB", "GB", "TB")


def what(port: Port) -> str:
    """The program behind a port, and its user if that is another one: `vite · frontend · root's`."""
    if port.get("outside"):  # not in answers of older agents
        return outside(port)
    if not port["listening"]:
        return "nothing listens"
    return program(port)


def program(found: Port | Program) -> str:
    """A program that listens, and its user if that is another one."""
    name, user = found["title"], found["user"]
    if not name and found["command"]:
        name = found["command"].split()[0].rpartition("/")[2]
    if not name:
        return f"a program of {user}" if user else "owner not visible"
    whose = possessive(user) if user and found.get("foreign") else ""
    if found.get("container"):
        # The system's engine runs as root for whoever uses it.
        whose = "container" if user == "root" else f"{whose} container".strip()
    return " · ".join(part for part in (name, found["subdir"] or "", whose) if part)


def others(port: Port) -> list[Program]:
    """The programs on a port's number that its address does not lead to."""
    return [one for one in port.get("programs") or [] if not one["dialled"]]  # not in answers of older agents


def addresses(found: Program) -> str:
    """The addresses of a program: `on ::1`."""
    return f"on {', '.join(found['addresses'])}"


def led_to(port: Port, share: Share) -> list[str]:
    """Sentences about a share that is paused, and about a number that several programs have."""
    if paused(share):
        return [paused(share)]
    apart = others(port)
    if not apart:
        return []
    listed = " and ".join(f"{program(one)} {addresses(one)}" for one in apart)
    here = next(one for one in port["programs"] if one["dialled"])
    return [f"The address leads to {program(here)} {addresses(here)}, not to {listed}."]


def paused(share: Share) -> str:
    """Why a share is paused, with the command that lets it go on; empty where it is not."""
    text = share.get("paused")  # not in answers of older agents
    number = share["port"]
    return (
        f"The share of {number} is paused. {text} To share that: homeport share {number} --resume"
        if text
        else ""
    )


def possessive(user: str) -> str:
    """The possessive of a user's name: `root's`, `games'`."""
    return f"{user}'" if user.endswith("s") else f"{user}'s"


def handover(repo: Repo, as_root: bool) -> str:
    """A sentence about a repo of another user, with the command that hands it over: without sudo for root."""
    sentence = f"{repo['name']} is {possessive(repo['owner'] or 'nobody')}: it is listed and shared here"
    if repo["handover"] is None:
        return f"{sentence}."
    # Paths are absolute, so no part of a path equals one of these words.
    kept = [word for word in shlex.split(repo["handover"]) if not (as_root and word == "sudo")]
    command = " ".join(word if word == "&&" else shlex.quote(word) for word in kept)
    return f"{sentence}; to let Homeport work in it: {command}"


def outside(port: Port) -> str:
    """The reason why a shared port leads nowhere, whatever listens there."""
    return "Homeport's own port" if port["outside"] == "own" else "outside the port ranges"


def mode(share: Share) -> Cell:
    """The mode of a share as it is now, in its colour."""
    if share.get("paused") and not share["expired"]:
        return Cell("paused", Style.AMBER)
    word = "private" if share["expired"] else share["mode"]
    return Cell(word, _STYLES.get(word, Style.PLAIN))


def moment(text: str, now: datetime) -> str:
    """A moment by its distance from `now`, in that time zone: `14:00`, `tomorrow 14:00`, `3 Dec 14:00`."""
    when = from_text(text).astimezone(now.tzinfo)
    days = (when.date() - now.date()).days
    clock = f"{when:%H:%M}"
    if days == 0:
        return clock
    if abs(days) == 1:
        return f"{'tomorrow' if days == 1 else 'yesterday'} {clock}"
    if 1 < days < 7:
        return f"{when:%a} {clock}"
    year = "" if when.year == now.year else f" {when.year}"
    return f"{when.day} {when:%b}{year} {clock}"


def past(text: str, now: datetime) -> str:
    """A past moment: the time of today, or the date with it, in the time zone of `now`."""
    when = from_text(text).astimezone(now.tzinfo)
    return f"{when:%H:%M:%S}" if when.date() == now.date() else f"{when:%Y-%m-%d %H:%M}"


def until(share: Share, now: datetime) -> str:
    """The end of a share: `until tomorrow 14:00`, `ended 13:59:59`, or nothing for one without an end."""
    if share["expires_at"] is None:
        return ""
    if share["expired"]:
        return f"ended {moment(share['expires_at'], now)}"
    return f"until {moment(share['expires_at'], now)}"


def limits(share: Share) -> str:
    """The networks of a share, and its uses."""
    parts: list[str] = []
    if share["allow"]:
        parts.append(", ".join(share["allow"]))
    if share["max_uses"] is not None:
        parts.append(f"{share['uses']} of {share['max_uses']} uses")
    return "; ".join(parts)


def sentence(share: Share, now: datetime) -> str:
    """A share as one sentence: who may open the port, and until when."""
    number = share["port"]
    alone = f"nly you can open port {number}, once you have logged in to the dashboard."
    if share["expired"]:
        return f"The share {until(share, now)}: o{alone}"
    if share["mode"] == "private":
        return f"O{alone}{_host(share)}{_subdomains(share)}"
    who = "Anyone with the password" if share["mode"] == "password" else "Anyone"
    from_where = f" from {' or '.join(share['allow'])}" if share["allow"] else ""
    end = f" {until(share, now)}" if share["expires_at"] else " until you unshare it"
    uses = ""
    if share["max_uses"] is not None:
        left = max(0, share["max_uses"] - share["uses"])
        uses = f", {left} more time{'' if left == 1 else 's'},"
    return f"{who}{from_where} can open port {number}{uses}{end}.{_host(share)}{_subdomains(share)}"


def _host(share: Share) -> str:
    """What the dev server is told where that is not localhost."""
    match share["host_header"]:
        case "localhost":
            return ""
        case "keep":
            return " The server sees the public name."
    return f" The server sees the name {share['host_header']}."


def _subdomains(share: Share) -> str:
    """That names below the port's own lead to it too, where they do."""
    if not share.get("subdomains"):  # not in answers of older agents
        return ""
    scheme, _, rest = share["url"].partition("://")
    return f" Names below its own lead there too, such as {scheme}://foo.{rest}."


def duration(seconds: float) -> str:
    """The two largest units of a time span: `3 d 4 h`, `12 min`."""
    minutes = int(seconds) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


def roughly(seconds: float) -> str:
    """The largest unit of a time span: `3 d`, `12 min`."""
    return " ".join(duration(seconds).split()[:2])


def target(tunnel: TunnelStatus) -> str:
    """The target of a tunnel: `:3000` on this machine, `db.lan:5432`, `:25 (PROXY v2)`, or what it was made for."""
    written = (tunnel["label"] or tunnel["target"]).removeprefix("localhost").replace("://localhost:", "://:")
    version = tunnel.get("proxy_protocol")  # a daemon of before December 2026 does not say
    return f"{written} (PROXY {version})" if version else written


def replaced(ends: str) -> str:
    """A note about a token that was replaced, and its fix: two lines for standard error."""
    return f"note: the token was replaced, and ends at {moment(ends, local_now())}\nfix: {INIT_NEWER}\n"


def size(count: float) -> str:
    """Bytes with a decimal unit: `7.9 GB`."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def local_now() -> datetime:
    """The present moment in this machine's time zone."""
    return datetime.now().astimezone()
