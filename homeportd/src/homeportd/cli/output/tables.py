"""Tables and pages of repos, ports, tokens and the agent: API objects in, lines of text out. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from homeportd.cli.api_types import Access, Port, Program, Repo, Status, Token
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import Cell, Column, Row, Screen, Style, clean, clip, lay_out, width_of

_LISTED: Final = (
    Column("PORT", 9),
    Column("WHAT", 6, least=16),
    Column("WHO", 8),
    Column("UNTIL", 5),
    Column("LIMITS", 2, least=18),
    Column("ADDRESS", 4),
)
_PORTS: Final = (
    Column("PORT", 9, right=True),
    Column("WHAT", 6, least=16),
    Column("REPO", 5, least=10),
    Column("WHO", 8),
    Column("UNTIL", 4),
    Column("LISTENS ON", 2),
    Column("PID", 1, right=True),
    Column("USER", 0),
    Column("ADDRESS", 3),
)
_LOG: Final = (
    Column("TIME", 7),
    Column("DECISION", 9),
    Column("FROM", 6),
    Column("METHOD", 4),
    Column("PATH", 8, least=10),
    Column("USER AGENT", 1, least=12),
)
_TOKENS: Final = (
    Column("ID", 9, right=True),
    Column("NAME", 8, least=6),
    Column("STARTS WITH", 4),
    Column("FOR", 6),
    Column("CREATED", 3),
    Column("LAST USED", 5),
    Column("ENDS", 7),
)
_EXAMPLE: Final = "python3 -m http.server 8000 --bind 127.0.0.1"


def by_repo(
    repos: Sequence[Repo], ports: Sequence[Port], screen: Screen, now: datetime, *, as_root: bool = False
) -> list[str]:
    """Each repo with its ports, then the ports of no repo, then a sentence about each repo of another user.

    `as_root`: the reader needs no sudo.
    """
    known = {repo["id"] for repo in repos}
    groups: list[tuple[str, list[Row]]] = []
    for repo in repos:
        own = [port for port in ports if port["repo"] == repo["id"]]
        groups.append((_repo_line(repo, own, screen), _rows(ports, own, {repo["id"]}, now)))
    others: set[str | None] = {port["repo"] for port in ports} | {
        one["repo"] for port in ports for one in phrases.others(port)
    }
    homeless = _rows(ports, [port for port in ports if port["repo"] not in known], others - known, now)
    if homeless:
        title = "Ports without a repo" if repos else "Ports"
        groups.append((screen.paint(title, Style.BOLD), homeless))
    if not groups:
        return nothing_yet()
    lines = iter(
        lay_out(_LISTED, [row for _, rows in groups for row in rows], screen, indent=2, heading=False)
    )
    page: list[str] = []
    for title, rows in groups:
        page.append(title)
        page.extend(next(lines) for _ in rows)
    if not ports:
        page += ["", *nothing_yet()]
    # Never clipped: it is there to be copied.
    paused = [
        screen.paint(clean(text), Style.AMBER) for port in ports if (text := phrases.paused(port["share"]))
    ]
    if paused:
        page += ["", *paused]
    foreign = [
        screen.paint(clean(phrases.handover(repo, as_root)), Style.GREY)
        for repo in repos
        if repo.get("foreign")
    ]
    return [*page, "", *foreign] if foreign else page


def nothing_yet() -> list[str]:
    """The page of a machine on which nothing listens: an example to begin with."""
    return ["Nothing listens yet. Start a dev server in a git repository, for example:", f"  {_EXAMPLE}"]


def _repo_line(repo: Repo, ports: Sequence[Port], screen: Screen) -> str:
    running = [str(port["port"]) for port in ports if port["listening"]]
    state = f"(running: {', '.join(running)})" if running else "(stopped)"
    branch = clean(repo["branch"] or "") + (" *" if repo["dirty"] else "")
    name = clean(repo["name"])
    if screen.width is not None:
        name = clip(name, max(screen.width // 2, screen.width - len(state) - 1))
        if width_of(f"{name} {state}  {branch}") > screen.width:
            branch = ""
        state = clip(state, screen.width - width_of(name) - 1)
    line = f"{screen.paint(name, Style.BOLD)} {screen.paint(state, Style.PLAIN if running else Style.GREY)}"
    return f"{line}  {screen.paint(branch, Style.GREY)}".rstrip()


def _rows(ports: Sequence[Port], own: Sequence[Port], repos: set[str | None], now: datetime) -> list[Row]:
    """The rows of a group: its ports, and the programs of these repos that share a number with what is dialled."""
    rows = [(port["port"], 0, _listed(port, now)) for port in own]
    for port in ports:
        rows += [(port["port"], 1, _other(port, one)) for one in phrases.others(port) if one["repo"] in repos]
    return [row for _, _, row in sorted(rows, key=lambda each: each[:2])]


def _other(port: Port, found: Program) -> Row:
    return (
        Cell(f":{port['port']}", Style.GREY),
        Cell(f"{phrases.program(found)} {phrases.addresses(found)}", Style.GREY),
        Cell("not led to", Style.GREY),
        Cell(""),
        Cell(""),
        Cell(""),
    )


def _listed(port: Port, now: datetime) -> Row:
    share = port["share"]
    return (
        Cell(f":{port['port']}", Style.BOLD),
        Cell(phrases.what(port), Style.PLAIN if port["listening"] else Style.GREY),
        phrases.mode(share),
        Cell(phrases.until(share, now)),
        Cell(phrases.limits(share), Style.GREY),
        Cell(port["url"], Style.GREY),
    )


def port_table(ports: Sequence[Port], screen: Screen, now: datetime) -> list[str]:
    """Every port, one a line."""
    if not ports:
        return nothing_yet()
    rows: list[Row] = []
    for port in ports:
        apart = phrases.others(port)
        own = [one for one in port.get("programs") or [] if one["dialled"]]
        rows.append(
            (
                Cell(str(port["port"]), Style.BOLD),
                Cell(phrases.what(port), Style.PLAIN if port["listening"] else Style.GREY),
                Cell(port["repo"] or ""),
                phrases.mode(port["share"]),
                Cell(phrases.until(port["share"], now).removeprefix("until ")),
                Cell(" ".join(own[0]["addresses"] if own else port["addresses"])),
                Cell("" if port["pid"] is None else str(port["pid"])),
                Cell(port["user"] or ""),
                Cell(port["url"], Style.GREY),
            )
        )
        rows += [
            (
                Cell(str(port["port"]), Style.GREY),
                Cell(phrases.program(one), Style.GREY),
                Cell(one["repo"] or ""),
                Cell("not led to", Style.GREY),
                Cell(""),
                Cell(" ".join(one["addresses"])),
                Cell("" if one["pid"] is None else str(one["pid"])),
                Cell(one["user"] or ""),
                Cell(""),
            )
            for one in apart
        ]
    return lay_out(_PORTS, rows, screen)


def overview(status: Status, screen: Screen) -> list[str]:
    """The agent and its machine at a glance."""
    counts, system = status["counts"], status["system"]
    memory, disk = system["memory"], system["disk"]
    facts = (
        ("Dashboard", status["dashboard_url"]),
        *([("Ports at", status["origin"])] if status["origin"] else []),
        ("Agent", f"{status['version']}, up {phrases.duration(status['uptime_s'])}"),
        *_served(status),
        ("CPU", f"{system['cpu_percent']:.0f} % of {_count(system['cpu_count'], 'core')}"),
        ("Memory", f"{phrases.size(memory['used'])} of {phrases.size(memory['total'])}"),
        ("Disk", f"{phrases.size(disk['used'])} of {phrases.size(disk['total'])}"),
    )
    head = (
        f"Homeport runs on {clean(status['hostname'])}: {_count(counts['ports'], 'port')},"
        f" {counts['shared']} shared, {_count(counts['repos'], 'repo')}."
    )
    return [head, *(f"  {screen.paint(f'{name:<10}', Style.GREY)} {clean(text)}" for name, text in facts)]


def _served(status: Status) -> list[tuple[str, str]]:
    """The user whom the agent serves, why, and how another is chosen."""
    choice = status.get("user_choice")  # not in answers of older agents
    if not choice:
        return [("User", status["user"])]
    change = [("", f"another: {choice['change']}")] if choice["change"] else []
    return [("User", f"{status['user']}: {choice['sentence']}"), *change]


def access_log(
    entries: Sequence[Access], screen: Screen, now: datetime, *, heading: bool = True
) -> list[str]:
    """Entries of the access log, in the order given."""
    rows: list[Row] = [
        (
            Cell(phrases.past(entry["time"], now)),
            Cell(entry["decision"], Style.RED if entry["decision"].startswith("denied") else Style.PLAIN),
            Cell(entry["address"]),
            Cell(entry["method"]),
            Cell(entry["path"]),
            Cell(entry["user_agent"], Style.GREY),
        )
        for entry in entries
    ]
    return lay_out(_LOG, rows, screen, heading=heading)


def token_table(tokens: Sequence[Token], screen: Screen, now: datetime) -> list[str]:
    """Every API token, one a line."""
    if not tokens:
        return ["No tokens yet. Make one for a script:", "  homeport token create my-script"]
    rows: list[Row] = [
        (
            Cell(str(token["id"]), Style.BOLD),
            Cell(token["name"]),
            Cell(f"{token['prefix']}…"),
            Cell("tunnels" if token["scope"] == "tunnel" else "all"),
            Cell(phrases.past(token["created_at"], now)),
            Cell(phrases.past(token["last_used_at"], now) if token["last_used_at"] else "never"),
            Cell(phrases.moment(token["expires_at"], now) if token["expires_at"] else "", Style.AMBER),
        )
        for token in tokens
    ]
    return lay_out(_TOKENS, rows, screen)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
