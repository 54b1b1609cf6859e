"""The transport to an edge: TCP, TLS, HTTP Upgrade, and yamux over it; an error with its fix for each failure."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from homeportd import __version__
from homeportd.tunnels import dial, proxy_connect, trust
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Reason, TunnelError, reason_of
from homeportd.tunnels.head_protocol import HeadProtocol
from homeportd.tunnels.protocol import HEARTBEAT_S, PATH, UPGRADE
from homeportd.tunnels.proxy_connect import Way
from homeportd.yamux.aio import Session
from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.frames import Role

CONNECT_S: Final = 10.0  # seconds for each: TCP, TLS, Upgrade
AGENT: Final = f"homeport/{__version__}"

CONFIG: Final = Config(
    max_streams=16 * KIB,  # visitors on one link: as many as an edge sends
    max_unread=64 * MIB,  # of visitors' bytes that local servers take too slowly
    keepalive_interval=HEARTBEAT_S,
    close_timeout=5.0,
)

_SET_CLOCK: Final = (
    "set the clock: sudo sntp -sS time.apple.com"
    if sys.platform == "darwin"
    else "set the clock, as root: timedatectl set-ntp true"
    if Path("/run/systemd/system").is_dir()  # sd_booted(3)
    else "set the clock, as root: date --set; that of a container is its host's"
)
_NOT_YET, _EXPIRED = 9, 10  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_WRONG_HOST: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH, …_IP_ADDRESS_MISMATCH


def tls_context(address: EdgeAddress, ca: str | None) -> ssl.SSLContext | None:
    """A TLS context that trusts the system's certificate authorities, or those in a file; None without TLS.

    Raises TunnelError.
    """
    if not address.secure:
        return None
    try:
        context = trust.context(ca)
        context.set_alpn_protocols([UPGRADE if address.scheme == "tls" else "http/1.1"])
        return context
    except (OSError, ssl.SSLError) as error:
        raise TunnelError(
            Reason.SETUP,
            f"cannot read certificates from {ca}: {error.strerror or error}",
            "give --ca a file of PEM certificates",
            lasting=True,
        ) from error


async def connect(address: EdgeAddress, context: ssl.SSLContext | None, way: Way | None = None) -> Session:
    """A yamux session with the edge, through a proxy where there is a `way`. Raises TunnelError."""
    upgrade = HeadProtocol(asyncio.get_running_loop())
    try:
        if way is None:
            transport = await _direct(address, context, upgrade)
        else:
            transport = await _through_proxy(way, address, context, upgrade)
    except ssl.SSLCertVerificationError as error:
        raise _certificate(address, error) from error
    except ssl.SSLError as error:
        raise _unreachable(
            f"what answers at {address.netloc} does not speak TLS as it should ({error.reason or error})",
            f"check the address; is it http://{address.netloc}?",
        ) from error
    except (TimeoutError, ConnectionError, OSError) as error:
        raise _unreachable(
            f"{address} ended the connection while TLS began ({reason_of(error)})",
            "look whether a proxy or firewall stands between; behind a company's proxy: homeport init --proxy URL",
        ) from error
    try:
        if address.scheme != "tls":
            await _upgrade(address, transport, upgrade)
        return Session.over(transport, Role.CLIENT, CONFIG, upgrade.take_rest())
    except BaseException:
        transport.abort()
        raise


async def _direct(
    address: EdgeAddress, context: ssl.SSLContext | None, upgrade: HeadProtocol
) -> asyncio.Transport:
    sock = await _tcp(address)
    try:
        async with asyncio.timeout(2 * CONNECT_S):
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: upgrade,
                sock=sock,
                ssl=context if address.secure else None,
                server_hostname=address.host if address.secure else None,
                ssl_handshake_timeout=CONNECT_S if address.secure else None,
            )
    except OSError:  # the loop has closed it
        raise
    except BaseException:
        sock.close()
        raise
    return transport


async def _through_proxy(
    way: Way, address: EdgeAddress, context: ssl.SSLContext | None, upgrade: HeadProtocol
) -> asyncio.Transport:
    carrier = await proxy_connect.open(way, address)
    if context is None or not address.secure:
        carrier.set_protocol(upgrade)
        upgrade.connection_made(carrier)
        return carrier
    try:
        async with asyncio.timeout(2 * CONNECT_S):
            transport = await asyncio.get_running_loop().start_tls(
                carrier, upgrade, context, server_hostname=address.host, ssl_handshake_timeout=CONNECT_S
            )
    except BaseException:
        carrier.abort()
        raise
    assert transport is not None  # noqa: S101 - what typeshed allows is for a server
    upgrade.connection_made(transport)
    return transport


async def _tcp(address: EdgeAddress) -> socket.socket:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await dial.connect(address.host, address.port)
    except socket.gaierror as error:
        raise _unreachable(
            f"the name {address.host} cannot be resolved ({error.strerror})",
            "check the address of the edge, its DNS record, and this machine's network",
        ) from error
    except TimeoutError as error:
        raise _unreachable(
            f"nothing answers at {address.netloc} within {CONNECT_S:g} s",
            "check that the edge is up, and that firewalls let this port through; behind a company's proxy:"
            " homeport init --proxy URL",
        ) from error
    except OSError as error:
        raise _unreachable(
            f"{address.netloc} cannot be reached: {reason_of(error)}",
            "check that the edge is up and the port is the right one",
        ) from error


async def _upgrade(address: EdgeAddress, transport: asyncio.Transport, upgrade: HeadProtocol) -> None:
    """Send the HTTP Upgrade and check its answer. Raises TunnelError."""
    transport.write(
        f"GET {PATH} HTTP/1.1\r\nHost: {address.netloc}\r\nUser-Agent: {AGENT}\r\n"
        f"Connection: Upgrade\r\nUpgrade: {UPGRADE}\r\n\r\n".encode("ascii")
    )
    try:
        async with asyncio.timeout(CONNECT_S):
            status, headers = await upgrade.answer
    except TimeoutError as error:
        raise _unreachable(
            f"{address} takes the connection and says nothing for {CONNECT_S:g} s",
            "look for the cause there; on the edge: homeport doctor",
        ) from error
    except (ConnectionError, ValueError) as error:
        raise _unreachable(
            f"what answers at {address} is no edge of Homeport ({error})", "check the address"
        ) from error
    if status == 101 and headers.get("upgrade", "").lower() == UPGRADE:
        return
    raise _not_upgraded(address, status, headers)


def _redirect_fix(location: str, address: EdgeAddress) -> str:
    """The fix for a redirect: the edge may be where it leads."""
    try:
        parts = urlsplit(location)
        there = EdgeAddress.parse(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        there = address
    return f"use --edge {there}" if there != address else "see what is in front of the edge at that address"


def _not_upgraded(address: EdgeAddress, status: int, headers: dict[str, str]) -> TunnelError:
    if status in (502, 503, 504):
        return _unreachable(
            f"{address} answers, but its tunnel service does not ({status})",
            "it may be starting; else, on the edge: homeport doctor",
        )
    if 300 <= status < 400:
        location = headers.get("location", "")[:200]
        return _unreachable(
            f"{address} redirects to {location or 'another place'}",
            _redirect_fix(location, address),
            lasting=True,
        )
    if status == 426:
        return TunnelError(
            Reason.VERSION,
            f"{address} does not take this client's protocol ({UPGRADE})",
            "install the same release of Homeport on both",
            lasting=True,
        )
    return _unreachable(
        f"{address} is no edge of Homeport: it answers {status} to {PATH}",
        "check the address: it is that of the edge itself, such as https://tunnel.example.com",
    )


def _certificate(address: EdgeAddress, error: ssl.SSLCertVerificationError) -> TunnelError:
    code, message = error.verify_code, error.verify_message
    if code == _NOT_YET:
        return TunnelError(
            Reason.CLOCK,
            f"the certificate of {address.host} is not valid yet: this machine's clock is likely behind",
            _SET_CLOCK,
        )
    if code == _EXPIRED:
        return TunnelError(
            Reason.CLOCK,
            f"the certificate of {address.host} has expired, or this machine's clock is ahead",
            "compare `date -u` with the real time; if it is right, look at the certificates of the edge",
        )
    if code in _WRONG_HOST:
        return _unreachable(
            f"the certificate at {address.netloc} is for another name ({message})",
            "use the name in the certificate, or wait until the edge has its own",
        )
    return _unreachable(
        f"the certificate of {address.host} is not trusted: {message}",
        "give --ca the file of its authority, if the edge has one of its own",
    )


def _unreachable(detail: str, fix: str, *, lasting: bool = False) -> TunnelError:
    return TunnelError(Reason.UNREACHABLE, detail, fix, lasting=lasting)
