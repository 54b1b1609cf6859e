"""Warnings before a port is shared: it speaks no HTTP, or it is a debugger, which is made public after a yes alone."""

from __future__ import annotations

import http.client
import sys
from typing import TYPE_CHECKING, Final

from homeportd import json_text
from homeportd.cautions import caution, debugger, is_inspector
from homeportd.cli.api_types import Caution, Port
from homeportd.cli.clients import installation
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.dev_server import dial_address
from homeportd.cli.errors import REFUSED, Failure
from homeportd.cli.output.terminal import clean
from homeportd.tunnels.address import Target, is_loopback

if TYPE_CHECKING:
    from homeportd.tunnels.model import TunnelSpec  # pydantic: too slow for help and completion

AGENT_TIMEOUT: Final = 3.0  # seconds for each step; without an answer the port's number alone is known
INSPECTOR_S: Final = 0.3  # seconds for each: connect, send, receive
MAX_ANSWER: Final = 4096  # bytes of its answer


def of_port(number: int, found: Port | None, *, ask: bool = False) -> Caution | None:
    """The caution about a port: by its program where the agent sees one, else by its number.

    `ask`: the server itself is asked too, since NODE_OPTIONS makes an inspector that no command line shows.
    """
    if found is not None:
        known = found.get("caution")  # not in answers of older agents
        if known is None and ask and found["listening"] and _inspects(found):
            inspector = debugger(number, "an inspector")
            return {"kind": inspector.kind, "text": inspector.text, "command": inspector.command}
        return known
    by_number = caution(number)
    if by_number is None:
        return None
    return {"kind": by_number.kind, "text": by_number.text, "command": by_number.command}


def confirm(number: int, known: Caution | None, *, public: bool, yes: bool) -> None:
    """Print the caution, and have a person confirm that a debugger becomes public. Raises Failure without a yes."""
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


def confirm_tunnels(specs: list[TunnelSpec], *, yes: bool) -> None:
    """Print the cautions about tunnels to servers of this machine, and have them confirmed. Raises Failure."""
    for spec in specs:
        target = Target.parse(spec.target)
        if spec.kind == "udp" or not is_loopback(target.host):
            continue  # the cautions are about TCP ports
        known = of_port(target.port, _seen(target.port), ask=True)
        if known is None or (known["kind"] == "not-http" and spec.kind != "http"):
            continue
        confirm(target.port, known, public=spec.passcode is None, yes=yes)


def _inspects(port: Port) -> bool:
    """Whether the server answers as an inspector does."""
    connection = http.client.HTTPConnection(
        dial_address(port["addresses"]), port["port"], timeout=INSPECTOR_S
    )
    try:
        connection.request("GET", "/json/version", headers={"Host": f"localhost:{port['port']}"})
        answer = connection.getresponse()
        return answer.status == 200 and is_inspector(json_text.loads(answer.read(MAX_ANSWER)))
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def _seen(number: int) -> Port | None:
    """The port as this machine's agent sees it; None without an agent that answers this user."""
    try:
        with Agent(installation.find(), AGENT_TIMEOUT) as agent:
            return agent.port(number)
    except Failure:
        return None
