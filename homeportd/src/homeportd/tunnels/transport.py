"""The transport to an edge: TCP, TLS, HTTP Upgrade, and yamux over it; an error with its fix for each failure."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit

from homeportd import __version__
from homeportd.tunnels import dial, trust
from homeportd.tunnels.address import EdgeAddress
from homeportd.tunnels.errors import Reason, TunnelError
from homeportd.tunnels.protocol import HEARTBEAT_S, PATH, UPGRADE
from homeportd.yamux.aio import Session
from homeportd.yamux.config import KIB, MIB, Config
from homeportd.yamux.frames import Role

CONNECT_S: Final = 10.0  # seconds for each: TCP, TLS, Upgrade
MAX_HEAD: Final = 16 * KIB  # bytes of the edge's answer to the Upgrade
MAX_REST: Final = 256 * KIB  # bytes behind that answer, until yamux has the transport
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


async def connect(address: EdgeAddress, context: ssl.SSLContext | None) -> Session:
    """A yamux session with the edge. Raises TunnelError."""
    sock = await _tcp(address)
    loop = asyncio.get_running_loop()
    upgrade = _UpgradeProtocol(loop)
    host = address.host
    try:
        async with asyncio.timeout(2 * CONNECT_S):
            transport, _ = await loop.create_connection(
                lambda: upgrade,
                sock=sock,
                ssl=context if address.secure else None,
                server_hostname=host if address.secure else None,
                ssl_handshake_timeout=CONNECT_S if address.secure else None,
            )
    except ssl.SSLCertVerificationError as error:
        raise _certificate(address, error) from error
    except ssl.SSLError as error:
        raise _unreachable(
            f"what answers at {address.netloc} does not speak TLS as it should ({error.reason or error})",
            f"check the address; is it http://{address.netloc}?",
        ) from error
    except (TimeoutError, ConnectionError, OSError) as error:
        raise _unreachable(
            f"{address} ended the connection while TLS began ({_reason(error)})",
            "look whether a proxy or firewall stands between",
        ) from error
    except BaseException:
        sock.close()
        raise
    try:
        if address.scheme != "tls":
            await _upgrade(address, transport, upgrade)
        return Session.over(transport, Role.CLIENT, CONFIG, upgrade.take_rest())
    except BaseException:
        transport.abort()
        raise


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
            "check that the edge is up, and that firewalls let this port through",
        ) from error
    except OSError as error:
        raise _unreachable(
            f"{address.netloc} cannot be reached: {_reason(error)}",
            "check that the edge is up and the port is the right one",
        ) from error


async def _upgrade(address: EdgeAddress, transport: asyncio.Transport, upgrade: _UpgradeProtocol) -> None:
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


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "time-out"
    if isinstance(error, OSError) and error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)  # asyncio puts a text of its own into `strerror`
    return str(error) or type(error).__name__


class _UpgradeProtocol(asyncio.Protocol):
    """The answer to the Upgrade, and the bytes behind it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answer: asyncio.Future[tuple[int, dict[str, str]]] = loop.create_future()
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self.answer.done():
            if len(self._received) > MAX_REST and self._transport is not None:
                self._transport.abort()
            return
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            if len(self._received) > MAX_HEAD:
                self.answer.set_exception(ValueError("its answer has no end"))
            return
        head = bytes(self._received[:end])
        del self._received[: end + 4]
        try:
            self.answer.set_result(_parse(head))
        except ValueError as error:
            self.answer.set_exception(error)

    def eof_received(self) -> None:
        self._fail("it closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(str(exc) if exc else "it closed the connection")

    def take_rest(self) -> bytes:
        """The bytes after the head of the answer."""
        if not self.answer.done():
            self.answer.cancel()
        data = bytes(self._received)
        self._received.clear()
        return data

    def _fail(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(ConnectionResetError(why))
            self.answer.exception()  # retrieved, so that asyncio does not log it where nothing waits


def _parse(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    protocol, _, rest = first.partition(" ")
    if not protocol.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("it does not speak HTTP")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers
