"""Checks of one port: its listener, its dev server, its share."""

from __future__ import annotations

import http.client
from typing import Final, Literal

from homeportd.cli.api_types import Port
from homeportd.cli.clients.agent_client import Agent
from homeportd.cli.clients.dev_server import dial_address
from homeportd.cli.doctor.check import Check, Machine, Step, skipped
from homeportd.cli.doctor.http import TIMEOUT, reason
from homeportd.cli.errors import Failure
from homeportd.cli.output import phrases


def outside(number: int, why: Literal["own", "ranges"], ranges: tuple[str, ...]) -> Check:
    """A port at which Homeport does not look."""
    if why == "own":
        return Check(
            "listener", "fail", f"port {number} is one of Homeport's own", "homeport list shows the others"
        )
    return Check(
        "listener",
        "fail",
        f"port {number} is outside the port ranges that Homeport looks at ({', '.join(ranges)})",
        "add it to homeport_port_ranges in the inventory and run bin/site",
    )


def listener(number: int, port: Port | None) -> Check:
    """Whether something listens on a port, and on which addresses."""
    if port is None or not port["listening"]:
        return Check("listener", "fail", f"nothing listens on port {number}", "start the dev server")
    addresses = ", ".join(port["addresses"])
    if any(address in ("0.0.0.0", "::", "::ffff:0.0.0.0") for address in port["addresses"]):  # noqa: S104 - compared
        return Check(
            "listener",
            "note",
            f"listens on {addresses}: whoever reaches this machine's network reaches it past Homeport",
            "bind it to 127.0.0.1, or keep the port closed in the firewall",
        )
    return Check("listener", "ok", f"listens on {addresses}")


def speaks_http(port: Port) -> Check:
    """Whether the dev server itself answers HTTP."""
    known = port.get("caution")
    if known and known["kind"] == "not-http":
        return Check("dev server", "fail", known["text"].rstrip("."), known["command"])
    host = dial_address(port["addresses"])
    connection = http.client.HTTPConnection(host, port["port"], timeout=TIMEOUT)
    try:
        connection.request("GET", "/", headers={"Host": f"localhost:{port['port']}"})
        status = connection.getresponse().status
    except TimeoutError:
        return Check(
            "dev server",
            "fail",
            f"accepts, and says nothing for {TIMEOUT:g} s",
            "look at its own output; restart it",
        )
    except OSError as error:
        return Check("dev server", "fail", f"refuses at {host} ({reason(error)})", "restart it")
    except http.client.HTTPException:
        return Check(
            "dev server",
            "fail",
            "does not speak plain HTTP",
            "switch off its own HTTPS: Homeport is in front of it",
        )
    finally:
        connection.close()
    if status >= 500:
        return Check(
            "dev server", "note", f"answers at {host} with status {status}", "look at its own output"
        )
    return Check("dev server", "ok", f"answers at {host} with status {status}")


def _port(machine: Machine) -> list[Check]:
    number, settings = machine.port, machine.settings
    if number is None or settings is None or settings.origins is None or machine.agent is None:
        return []
    why = settings.outside(number)
    if why:
        return [outside(number, why, settings.port_ranges), *skipped("dev server", "share")]
    if not machine.agent_is_up:
        return skipped("listener", "dev server", "share")
    return _shared(machine.agent, number)


def _shared(agent: Agent, number: int) -> list[Check]:
    try:
        port = agent.port(number)
        share = port["share"] if port else agent.share(number)
    except Failure as failure:
        return [Check("listener", "fail", failure.detail, failure.fix)]
    found = [listener(number, port)]
    found += [speaks_http(port)] if port and port["listening"] else skipped("dev server")
    sentence = phrases.sentence(share, phrases.local_now())
    if share["expired"]:
        fix = f"homeport share {number} --expires 24h, if it is to be open again"
        return [*found, Check("share", "note", sentence, fix)]
    return [*found, Check("share", "ok", sentence)]


STEPS: Final = (Step(90, "port", _port),)
