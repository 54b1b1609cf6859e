"""Warnings before a port is shared: it speaks no HTTP, or it is a debugger, which is never made public unasked."""

from __future__ import annotations

import http.client
import json
import sys
from typing import Annotated, Any, Final

import typer

from homeportd.cautions import caution, debugger, is_inspector
from homeportd.cli.api_types import Caution, Port
from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.doctor.checks import upstream
from homeportd.cli.errors import REFUSED, Failure
from homeportd.cli.output.terminal import clean
from homeportd.tunnels.address import Target, is_loopback

AGENT_TIMEOUT: Final = 3.0  # seconds; a tunnel does without its word
INSPECTOR_S: Final = 0.3  # seconds for each: connect, send, receive
MAX_ANSWER: Final = 4096  # bytes of its answer

Yes = Annotated[
    bool, typer.Option("--yes", help="Share a debugger with everybody, too, without being asked.")
]


def of_port(number: int, found: Port | None, *, ask: bool = False) -> Caution | None:
    """What is to be known of a port: by its program where the agent sees one, else by its number.

    `ask` the server itself, too: NODE_OPTIONS makes an inspector of which no command line tells.
    """
    if found is not None:
        said = found.get("caution")  # an agent of the release before does not say
        if said is None and ask and found["listening"] and _inspects(found):
            inspector = debugger(number, "an inspector")
            return {"kind": inspector.kind, "text": inspector.text, "command": inspector.command}
        return said
    known = caution(number)
    return None if known is None else {"kind": known.kind, "text": known.text, "command": known.command}


def heed(number: int, known: Caution | None, *, public: bool, yes: bool) -> None:
    """Warn, and have a person agree before a debugger becomes public. Raises Failure where nobody does."""
    if known is None:
        return
    sys.stderr.write(f"warning: {clean(known['text'])}\n")
    if known["command"]:
        sys.stderr.write(f"fix: {clean(known['command'])}\n")
    if known["kind"] != "debugger" or not public or yes:
        return
    safer = "let in who knows a password (--password, or --passcode of an HTTP tunnel); --yes shares it all the same"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Failure(f"port {number} is a debugger, and would be open to everybody", safer, REFUSED)
    sys.stderr.write(f"Let everybody use port {number} all the same? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Failure(f"port {number} is not shared", safer, REFUSED)


def heed_tunnels(wishes: list[dict[str, Any]], *, yes: bool) -> None:
    """The same for tunnels to servers of this machine. Raises Failure."""
    for wish in wishes:
        target = Target.parse(wish["target"])
        if not is_loopback(target.host):
            continue
        known = of_port(target.port, _seen(target.port), ask=True)
        if known is None or (known["kind"] == "not-http" and wish["kind"] != "http"):
            continue
        heed(target.port, known, public="passcode" not in wish, yes=yes)


def _inspects(port: Port) -> bool:
    """Whether the server answers as an inspector does, which takes it no time."""
    connection = http.client.HTTPConnection(upstream(port["addresses"]), port["port"], timeout=INSPECTOR_S)
    try:
        connection.request("GET", "/json/version", headers={"Host": f"localhost:{port['port']}"})
        answer = connection.getresponse()
        return answer.status == 200 and is_inspector(json.loads(answer.read(MAX_ANSWER)))
    except (OSError, http.client.HTTPException, ValueError, RecursionError):
        return False
    finally:
        connection.close()


def _seen(number: int) -> Port | None:
    """The port as this machine's agent sees it; None where it does not, or there is none that this user may ask."""
    try:
        with Agent(installation.find(), AGENT_TIMEOUT) as agent:
            return agent.port(number)
    except Failure:
        return None
