"""Tunnels in the foreground: open as long as the command runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from homeportd.cli import cautions
from homeportd.cli.clients import own_edge
from homeportd.cli.errors import INTERRUPTED, REQUEST, UNREACHABLE, Failure
from homeportd.cli.options import tunnel_options
from homeportd.cli.options.tunnel_options import failure
from homeportd.cli.output import phrases

if TYPE_CHECKING:
    from homeportd.cli.output.live_view import View
    from homeportd.tunnels.client import Client
    from homeportd.tunnels.errors import Problem
    from homeportd.tunnels.tunnel import Tunnel

ANSWER_S: Final = 30.0  # seconds for the edge to answer the first time
TERMINATED: Final = 143  # 128 + SIGTERM, as a shell says it
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print JSON objects, one a line: what is open, then each change.")
]


def http(
    targets: tunnel_options.Targets,
    *,
    domain: tunnel_options.Domain = None,
    allow: tunnel_options.Allow = None,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    passcode: tunnel_options.Passcode = False,
    passcode_stdin: tunnel_options.PasscodeStdin = False,
    host_header: tunnel_options.HostHeader = "auto",
    yes: cautions.Yes = False,
    json: JsonLines = False,
) -> None:
    """Give local web servers public addresses, until Ctrl-C.

    The first lines are the addresses.
    """
    own_edge.account()
    made = tunnel_options.make(
        "http",
        targets,
        domain=domain,
        allow=allow,
        limits=tunnel_options.limits_of(max_connections, max_rate),
        passcode=tunnel_options.passcode_of(passcode, passcode_stdin),
        host_header=host_header,
    )
    cautions.heed_tunnels(made, yes=yes)
    _run(made, json)


def tcp(
    targets: tunnel_options.Targets,
    *,
    reserve_port: tunnel_options.ReservePort = None,
    allow: tunnel_options.Allow = None,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    yes: cautions.Yes = False,
    json: JsonLines = False,
) -> None:
    """Give local TCP servers public ports, until Ctrl-C."""
    own_edge.account()
    limits = tunnel_options.limits_of(max_connections, max_rate)
    made = tunnel_options.make("tcp", targets, reserve_port=reserve_port, allow=allow, limits=limits)
    cautions.heed_tunnels(made, yes=yes)
    _run(made, json)


def udp(
    targets: tunnel_options.Targets,
    *,
    reserve_port: tunnel_options.ReservePort = None,
    allow: tunnel_options.Allow = None,
    max_connections: tunnel_options.MaxConnections = None,
    max_rate: tunnel_options.MaxRate = None,
    json: JsonLines = False,
) -> None:
    """Give local UDP servers public ports, until Ctrl-C."""
    own_edge.account()
    limits = tunnel_options.limits_of(max_connections, max_rate)
    _run(tunnel_options.make("udp", targets, reserve_port=reserve_port, allow=allow, limits=limits), json)


def _run(made: list[dict[str, Any]], json: bool) -> None:
    import uvloop
    from pydantic import ValidationError

    from homeportd.cli.output.live_view import view
    from homeportd.tunnels.limits import raise_descriptors
    from homeportd.tunnels.model import TunnelSpec

    try:
        parsed = [TunnelSpec.model_validate(spec) for spec in made]
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"])
        raise Failure(f"{what}: {first['msg']}", f"homeport {made[0]['kind']} --help", REQUEST) from None
    raise_descriptors()
    logging.disable(logging.CRITICAL)  # the view says what a person should know
    code = uvloop.run(_serve(parsed, view(json)))
    raise typer.Exit(code)


async def _serve(made: list[Any], view: View) -> int:
    from homeportd.tunnels import account
    from homeportd.tunnels.client import Client

    changed = asyncio.Event()
    client = Client(account.load, rotated=account.replace_token, changed=changed.set)
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _end_by_signals(ended)
    running = asyncio.create_task(client.run())
    working = asyncio.create_task(_work(client, made, view, changed))
    try:
        await asyncio.wait((running, working, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result()
        if running.done():
            running.result()  # a mistake of ours: it never ends by itself
        return working.result()
    finally:
        view.close()
        for task in (working, running):
            task.cancel()
        await asyncio.gather(working, running, return_exceptions=True)


def _end_by_signals(ended: asyncio.Future[int]) -> None:
    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    loop = asyncio.get_running_loop()
    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED), (signal.SIGHUP, 129)):
        loop.add_signal_handler(number, end, code)


async def _work(client: Client, made: list[Any], view: View, changed: asyncio.Event) -> int:
    """Open everything, then show it until nothing is left. Raises Failure."""
    tunnels = [client.add(spec) for spec in made]
    await _begin(client, tunnels, changed)
    await client.routed(tunnels)
    view.begin(client, tunnels)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(view.period_s):
                await changed.wait()
                changed.clear()
        why = _last_word(client, tunnels)
        view.show(client, tunnels, why)
        if why is not None:
            raise failure(why)


def _last_word(client: Client, tunnels: list[Tunnel]) -> Problem | None:
    """Why there is nothing left to wait for: no tunnel will come back, or the token was revoked, say."""
    if all(tunnel.is_final for tunnel in tunnels):
        return tunnels[-1].problem
    if client.problem is not None and client.problem.lasting and not client.is_up:
        return client.problem
    return None


async def _begin(client: Client, tunnels: list[Tunnel], changed: asyncio.Event) -> None:
    """Wait for the edge's answers. What is wrong from the start is a failure, not something to wait out.

    A refusal ends all, and nothing stays reserved that was not before. Raises Failure.
    """
    from homeportd.tunnels.model import State

    try:
        async with asyncio.timeout(ANSWER_S):
            while any(tunnel.state is not State.LIVE for tunnel in tunnels):
                await changed.wait()
                changed.clear()
                if client.problem is not None:
                    raise failure(client.problem)
                if any(tunnel.state in (State.OFFLINE, State.OPENING) for tunnel in tunnels):
                    continue
                refused = next((tunnel.problem for tunnel in tunnels if tunnel.problem is not None), None)
                if refused is not None:
                    for tunnel in tunnels:
                        client.remove(tunnel, forget=True)
                    raise failure(refused)
    except TimeoutError:
        raise Failure(
            f"the edge did not answer within {ANSWER_S:g} s", "on the edge: homeport doctor", UNREACHABLE
        ) from None
    if client.token_ends is not None:
        sys.stderr.write(phrases.replaced(client.token_ends))
    if client.skew is not None:
        ahead = "behind" if client.skew.total_seconds() > 0 else "ahead of"
        seconds = abs(round(client.skew.total_seconds()))
        sys.stderr.write(f"note: this machine's clock is {seconds} s {ahead} the edge's: set it\n")
