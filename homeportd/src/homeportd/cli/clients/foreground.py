"""A tunnel client in the foreground: its tunnels are open as long as the command runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from typing import Final

import uvloop

from homeportd.cli.errors import INTERRUPTED, UNREACHABLE, Failure
from homeportd.cli.output import live_view, phrases
from homeportd.cli.output.live_view import View
from homeportd.cli.tunnel_failures import failure
from homeportd.tunnels import account
from homeportd.tunnels.client import Client
from homeportd.tunnels.errors import TunnelError
from homeportd.tunnels.limits import raise_descriptors
from homeportd.tunnels.model import State, TunnelSpec
from homeportd.tunnels.tunnel import Tunnel

ANSWER_S: Final = 30.0  # seconds for the edge to answer the first time
TERMINATED: Final = 143  # 128 + SIGTERM, as a shell reports the signal
HUNG_UP: Final = 129  # 128 + SIGHUP


def run(specs: list[TunnelSpec], json: bool) -> int:
    """Open the tunnels and show them until a signal comes; the exit code. Raises Failure when none is left."""
    raise_descriptors()
    logging.disable(logging.CRITICAL)  # the view says what a person should know
    return uvloop.run(_serve(specs, live_view.view(json)))


async def _serve(specs: list[TunnelSpec], view: View) -> int:
    changed = asyncio.Event()
    client = Client(account.load, rotated=account.replace_token, changed=changed.set)
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    _end_by_signals(ended)
    running = asyncio.create_task(client.run())
    working = asyncio.create_task(_work(client, specs, view, changed))
    try:
        await asyncio.wait((running, working, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return ended.result()
        if running.done():
            running.result()  # it ends by failing alone
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
    for number, code in (
        (signal.SIGINT, INTERRUPTED),
        (signal.SIGTERM, TERMINATED),
        (signal.SIGHUP, HUNG_UP),
    ):
        loop.add_signal_handler(number, end, code)


async def _work(client: Client, specs: list[TunnelSpec], view: View, changed: asyncio.Event) -> int:
    """Open the tunnels, then show them until none is left. Raises Failure."""
    tunnels = [client.add(spec) for spec in specs]
    await _open(client, tunnels, changed)
    await client.routed(tunnels)
    view.begin(client, tunnels)
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(view.period_s):
                await changed.wait()
                changed.clear()
        error = _final_error(client, tunnels)
        view.show(client, tunnels, error)
        if error is not None:
            raise failure(error)


def _final_error(client: Client, tunnels: list[Tunnel]) -> TunnelError | None:
    """Why there is nothing left to wait for: no tunnel will come back, or the token was revoked, say."""
    if all(tunnel.is_final for tunnel in tunnels):
        return tunnels[-1].error
    if client.error is not None and client.error.lasting and not client.is_up:
        return client.error
    return None


async def _open(client: Client, tunnels: list[Tunnel], changed: asyncio.Event) -> None:
    """Wait until the edge has opened all tunnels. An error now ends the command, rather than being waited out.

    After a refusal nothing stays reserved that was not before. Raises Failure.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            while any(tunnel.state is not State.LIVE for tunnel in tunnels):
                await changed.wait()
                changed.clear()
                if client.error is not None:
                    raise failure(client.error)
                if any(tunnel.state in (State.OFFLINE, State.OPENING) for tunnel in tunnels):
                    continue
                refusal = next((tunnel.error for tunnel in tunnels if tunnel.error is not None), None)
                if refusal is not None:
                    for tunnel in tunnels:
                        client.remove(tunnel, forget=True)
                    raise failure(refusal)
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
