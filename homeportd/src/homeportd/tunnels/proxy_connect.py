"""A connection to an edge through an HTTP proxy, by CONNECT; an error with its fix for each failure.

https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from homeportd import __version__
from homeportd.tunnels import dial, proxy, trust
from homeportd.tunnels.account import Account
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Reason, TunnelError, reason_of
from homeportd.tunnels.head_protocol import HeadProtocol
from homeportd.tunnels.proxy import STORED, Proxy

CONNECT_S: Final = 10.0  # seconds for each: TCP, TLS
ANSWER_S: Final = 20.0  # seconds for the proxy's answer: it resolves the name and dials meanwhile


@dataclass(frozen=True)
class Way:
    """A proxy, and the TLS context for what leads to it, where that is TLS."""

    proxy: Proxy
    context: ssl.SSLContext | None


def way(account: Account, address: EdgeAddress | None = None) -> Way | None:
    """The way to the account's edge, or to another address of it; None: it is dialled. Raises TunnelError."""
    try:
        found = proxy.find(address or account.address, account.proxy)
    except ValueError as error:
        raise TunnelError(
            Reason.SETUP,
            str(error),
            f"{STORED} http://HOST:PORT, or none; or mend that variable",
            lasting=True,
        ) from error
    if found is None or not found.secure:
        return None if found is None else Way(found, None)
    return Way(found, trust.with_system(account.ca))


async def open(way: Way, address: EdgeAddress) -> asyncio.Transport:
    """A transport whose bytes go to the edge and come from it from now on. Raises TunnelError."""
    loop = asyncio.get_running_loop()
    answer = HeadProtocol(loop)
    sock = await _dial(way.proxy)
    try:
        transport, _ = await loop.create_connection(
            lambda: answer,
            sock=sock,
            ssl=way.context,
            server_hostname=way.proxy.host if way.context else None,
            ssl_handshake_timeout=CONNECT_S if way.context else None,
        )
    except OSError as error:  # ssl.SSLError is one
        reason = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
        raise _failure(
            way.proxy,
            f"no TLS with the proxy {way.proxy} ({reason})",
            f"check it; is it http://{way.proxy.netloc}?",
        ) from error
    except BaseException:
        sock.close()
        raise
    try:
        await _ask(way.proxy, address, transport, answer)
    except BaseException:
        transport.abort()
        raise
    return transport


async def _dial(asked: Proxy) -> socket.socket:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await dial.connect(asked.host, asked.port)
    except socket.gaierror as error:
        raise _failure(
            asked, f"the name of the proxy {asked} cannot be resolved", "check its name, or use another"
        ) from error
    except TimeoutError as error:
        raise _failure(
            asked,
            f"the proxy {asked} does not answer within {CONNECT_S:g} s",
            "check its address and this network",
        ) from error
    except OSError as error:
        raise _failure(
            asked,
            f"the proxy {asked} cannot be reached: {reason_of(error)}",
            "check its address, port and this network",
        ) from error


async def _ask(
    asked: Proxy, address: EdgeAddress, transport: asyncio.Transport, answer: HeadProtocol
) -> None:
    host = f"[{address.host}]" if ":" in address.host else address.host
    fields = {
        "Host": f"{host}:{address.port}",
        "User-Agent": f"homeport/{__version__}",
        "Proxy-Connection": "Keep-Alive",  # of no RFC; old proxies close without it
        **asked.headers,
    }
    lines = [
        f"CONNECT {host}:{address.port} HTTP/1.1",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    transport.write("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
    try:
        async with asyncio.timeout(ANSWER_S):
            status, headers = await answer.answer
    except TimeoutError as error:
        raise _failure(
            asked,
            f"the proxy {asked} does not answer for {ANSWER_S:g} s when asked for {address.netloc}",
            "check that the edge is up, and ask whoever runs the proxy",
        ) from error
    except (ConnectionError, ValueError) as error:
        raise _failure(
            asked, f"what answers at {asked} is no HTTP proxy ({error})", "check its address and port"
        ) from error
    if 200 <= status < 300:
        if answer.take_rest():
            raise _failure(
                asked, f"the proxy {asked} sends what nobody asked for", "check its address and port"
            )
        return
    raise _refused(asked, address, status, headers)


def _refused(asked: Proxy, address: EdgeAddress, status: int, headers: dict[str, str]) -> TunnelError:
    target = f"{address.host}:{address.port}"
    if status == 407:
        schemes = headers.get("proxy-authenticate", "")[:200]
        if schemes and "basic" not in schemes.lower():
            word = schemes.split()[0].strip(",")
            return _failure(
                asked,
                f"the proxy {asked} wants {word}, and Homeport knows Basic alone (407)",
                f"run a proxy on this machine that speaks {word}, such as cntlm or px, and: {STORED} http://127.0.0.1:3128",
                lasting=True,
            )
        what = "refuses the user and password" if asked.headers else "wants a user and a password"
        return _failure(
            asked,
            f"the proxy {asked} {what} (407)",
            f"{STORED} {asked.scheme}://USER@{asked.netloc}, which asks for the password",
            lasting=True,
        )
    if status in (401, 403, 451):
        return _failure(
            asked,
            f"the proxy {asked} does not let connections to {target} through ({status})",
            f"ask whoever runs it to allow CONNECT to {target}; many allow port 443 alone",
            lasting=True,
        )
    if status in (502, 503, 504):
        return _failure(
            asked,
            f"the proxy {asked} cannot reach {target} ({status})",
            "check the address of the edge, and that it is up; for an edge in this network: NO_PROXY"
            f"={address.host}",
        )
    return _failure(
        asked,
        f"the proxy {asked} answers {status} to CONNECT {target}",
        "check that it is a proxy that takes CONNECT",
    )


def _failure(asked: Proxy, detail: str, fix: str, *, lasting: bool = False) -> TunnelError:
    return TunnelError(Reason.UNREACHABLE, f"{detail}, of {asked.source}", fix, lasting=lasting)
