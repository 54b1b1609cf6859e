"""The commands for shares: who may open a port, its address, and the log of who did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer

from homeportd.cli import cautions
from homeportd.cli.api_types import Mode, Share
from homeportd.cli.clients import via_edge
from homeportd.cli.clients.agent_client import Agent, connect
from homeportd.cli.errors import USAGE, Failure
from homeportd.cli.options import passwords
from homeportd.cli.options.arguments import Json, PortArgument
from homeportd.cli.options.targets import parse_name
from homeportd.cli.output import phrases
from homeportd.cli.output.terminal import write, write_json
from homeportd.cli.registry import Commands
from homeportd.tunnels import account as accounts

commands = Commands(position=20)

Password = Annotated[bool, typer.Option("--password", help="Let in who knows a password; asks for it.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="The same, with the password from standard input.")
]
Public = Annotated[bool, typer.Option("--public", help="Let everybody in.")]
Private = Annotated[bool, typer.Option("--private", help="Let only you in.")]
Expires = Annotated[
    str | None,
    typer.Option("--expires", metavar="WHEN", help="30m, 24h, 7d, a date such as 2027-01-31, or never."),
]
Allow = Annotated[
    list[str] | None,
    typer.Option("--allow", metavar="CIDR", help="Let in this network alone; may be repeated."),
]
HostHeader = Annotated[
    str | None,
    typer.Option(
        "--host-header",
        metavar="localhost|keep|NAME",
        help="What the dev server sees as its own name: localhost and its port, which dev servers accept, keep, the"
        " public name, or another, such as myapp.test:3000.",
    ),
]
Subdomains = Annotated[
    bool | None,
    typer.Option(
        "--subdomains/--no-subdomains",
        help="Let each name below the port's own lead here too, such as foo.4210.localhost.",
    ),
]
Via = Annotated[
    str | None,
    typer.Option(
        "--via", metavar="edge", help="Give it an address at the edge, too; the daemon keeps it there."
    ),
]
Domain = Annotated[
    str | None,
    typer.Option("--domain", metavar="NAME", help="With --via edge: the name to have there, such as myapp."),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Share a debugger with everybody, too, without being asked.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Let a paused share go on, with what listens on the port now."),
]
MaxUses = Annotated[
    int | None,
    typer.Option("--max-uses", min=1, metavar="N", help="Accept the password N times."),
]


@commands.command(
    "share",
    "homeport share 5173 --password --expires 24h",
    "homeport share 5173 --password-stdin < password.txt",
    "homeport share 5173 --public --allow 203.0.113.0/24",
    "homeport share 5173 --expires 7d",
    "homeport share 5173 --public --host-header keep",
    "homeport share 4210 --public --subdomains",
    "homeport share 5173 --public --via edge",
    "homeport share 5173 --password --via edge --domain myapp",
    "homeport share 9229 --public --yes",
    "homeport share 5173 --resume",
)
def share(
    port: PortArgument,
    *,
    password: Password = False,
    password_stdin: PasswordStdin = False,
    public: Public = False,
    private: Private = False,
    expires: Expires = None,
    allow: Allow = None,
    max_uses: MaxUses = None,
    host_header: HostHeader = None,
    subdomains: Subdomains = None,
    via: Via = None,
    domain: Domain = None,
    resume: Resume = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Say who may open a port, and print its address.

    Only you, unless you choose otherwise. With --password, --password-stdin, --public or --private the
    share is made anew from the options given; without them it keeps its mode and changes only
    what you name. The address is alone on the last line.

    A share is for what listens when it is made: the servers of that repo, or else of that user. While something
    else has the port, the share is paused, until that has gone or you say --resume.
    """
    chosen = [
        flag
        for flag, given in (
            ("--password", password),
            ("--password-stdin", password_stdin),
            ("--public", public),
            ("--private", private),
        )
        if given
    ]
    if len(chosen) > 1:
        raise Failure(f"{' and '.join(chosen)} exclude each other", f"choose one, such as {chosen[0]}", USAGE)
    request: dict[str, Any] = {"expires": expires, "allow": allow or [], "max_uses": max_uses}
    name = None if domain is None else parse_name(domain)
    if host_header:
        request["host_header"] = host_header
    if subdomains is not None:
        request["subdomains"] = subdomains
    if resume and (chosen or via or subdomains is not None or any(request.values())):
        raise Failure(
            "--resume changes nothing else", f"homeport share {port} --resume, then the other options", USAGE
        )
    if via:
        via_edge.check(via)
    elif name is not None:
        raise Failure("--domain is the name at the edge", "write --via edge, too", USAGE)
    with connect() as agent:
        if resume:
            _report(agent, agent.post(f"/ports/{port}/share/resume"), json, None, warned=False)
            return
        warned = _confirm(agent, port, _mode(chosen[0]) if chosen else None, yes=yes)
        if chosen:
            request["mode"] = _mode(chosen[0])
            if password or password_stdin:
                agent.get("/health")  # before a person types a password for nothing
                request["password"] = passwords.ask(f"port {port}") if password else passwords.from_stdin()
        present = _shared(
            lambda: _post(agent, port, request) if chosen else _adjust(agent, port, request), port
        )
        address = (
            via_edge.open_tunnel(port, allow or [], name, subdomains=bool(present.get("subdomains")))
            if via
            else None
        )
        _report(agent, present, json, address, warned=warned)


def _confirm(agent: Agent, port: int, chosen: Mode | None, *, yes: bool) -> bool:
    """Print the caution about a port before it is shared, and have it confirmed. Returns whether there was one."""
    found = agent.port(port)
    mode = chosen or (found["share"]["mode"] if found else "private")
    known = cautions.of_port(port, found, ask=mode != "private")
    if known is None or (known["kind"] == "debugger" and mode == "private"):
        return False
    if known["kind"] == "not-http" and not (found and found["listening"]):
        return False  # by its number alone; the warning comes after the share is made
    cautions.confirm(port, known, public=mode == "public", yes=yes)
    return True


def _shared(work: Callable[[], Share], port: int) -> Share:
    """The result of `work`. A refusal of a port outside the ranges names a tunnel too, if this user has an edge."""
    try:
        return work()
    except Failure as failure:
        widen = failure.fix.startswith("add it to homeport_port_ranges")
        if not widen or not accounts.path().exists():
            raise
        known = cautions.of_port(port, None)
        command = (known and known["command"]) or f"homeport http {port}"
        fix = f"{command} needs no range; or {failure.fix}"
        raise Failure(failure.detail, fix, failure.code, failure.status) from failure


@commands.command("unshare", "homeport unshare 5173")
def unshare(port: PortArgument, json: Json = False) -> None:
    """Make a port private again.

    Visitors who are connected are cut off.
    """
    with connect() as agent:
        via_edge.close_tunnel(port)
        agent.delete(f"/ports/{port}/share")
        if json:
            present = agent.share(port)
            write_json(present)
        else:
            write(
                [f"Port {port} is private again: only you can open it. Open connections of others end now."]
            )


@commands.command("url", "homeport url 5173", 'curl "$(homeport url 5173)"')
def url(port: PortArgument, json: Json = False) -> None:
    """Print the address of a port."""
    with connect() as agent:
        present = agent.share(port)
        found = agent.port(port)
    if found and found.get("outside"):
        sys.stderr.write(f"note: the address of port {port} leads nowhere: {phrases.outside(found)}\n")
    elif not (found and found["listening"]):
        sys.stderr.write(f"note: nothing listens on port {port} now, or it is outside the port ranges\n")
    if json:
        write_json({"port": port, "url": present["url"]})
    else:
        write([present["url"]])


def _mode(flag: str) -> Mode:
    modes: dict[str, Mode] = {"--public": "public", "--private": "private"}
    return modes.get(flag, "password")


def _post(agent: Agent, port: int, request: dict[str, Any]) -> Share:
    made: Share = agent.post(f"/ports/{port}/share", request)
    return made


def _adjust(agent: Agent, port: int, request: dict[str, Any]) -> Share:
    """Change what `request` names of the present share; without a share, make a private one."""
    before = agent.share(port)
    named = {key: value for key, value in request.items() if value or value is False}
    if before["generation"] and not named:
        return before  # asked to change nothing: a new generation would throw visitors out
    if before["expired"] and "expires" not in named:
        raise Failure(
            f"the share of port {port} has ended", f"give it a new end: homeport share {port} --expires 24h"
        )
    kept = {
        "mode": before["mode"],
        "expires": before["expires_at"],
        "allow": before["allow"],
        "max_uses": before["max_uses"],
        "host_header": before["host_header"],
        # An agent of an earlier release knows no such names.
        **({"subdomains": True} if before.get("subdomains") else {}),
    }
    return _post(agent, port, kept | named)


def _report(agent: Agent, present: Share, json: bool, address: str | None, *, warned: bool) -> None:
    """Print the share as it is now; the address alone on the last line: that at the edge, if there is one."""
    found = agent.port(present["port"])
    known = cautions.of_port(present["port"], found)
    if known and known["kind"] == "not-http" and not warned:
        cautions.confirm(present["port"], known, public=False, yes=True)
    if json:
        write_json(present if address is None else {**present, "edge_url": address})
        return
    lines = [phrases.sentence(present, phrases.local_now())]
    if found and found.get("outside"):
        lines.append(f"It leads nowhere: {phrases.outside(found)}.")
    elif not (found and found["listening"]):
        lines.append("Nothing listens there yet; the address works as soon as something does.")
    else:
        lines += phrases.led_to(found, present)
    write([*lines, present["url"], *([address] if address else [])])
