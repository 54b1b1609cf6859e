"""Names below a port's own, `foo.4210.localhost`: why they cannot lead to the port, where they cannot."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Final
from urllib.parse import urlsplit

from homeportd.errors import Problem, invalid
from homeportd.origin import Origin

HANDSHAKE_S: Final = 5.0


async def refusal(origin: Origin, port: int) -> Problem | None:
    """The problem (422) of names below that of a port; None where browsers can open them.

    By http every name works that leads here. By https a wildcard certificate covers one level, that of the ports, so
    that whoever ends TLS for this machine is asked for such a name.
    """
    if origin.scheme == "http":
        return None
    address = urlsplit(origin.of_port(port))
    host = f"foo.{address.hostname}"
    reason = await _tls_problem(host, address.port or 443)
    if reason is None:
        return None
    return invalid(
        f"no certificate is known to cover names such as {host}: {reason}",
        f"give what ends TLS for this machine a certificate for *.{address.hostname}; or open a tunnel, at an edge"
        f" whose certificates can cover them: homeport http {port} --subdomains",
    )


async def _tls_problem(host: str, number: int) -> str | None:
    try:
        async with asyncio.timeout(HANDSHAKE_S):
            context = await asyncio.to_thread(ssl.create_default_context)
            _, writer = await asyncio.open_connection(host, number, ssl=context)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except TimeoutError:
        return f"it does not answer within {HANDSHAKE_S:.0f} s"
    except OSError as error:
        return f"it cannot be reached ({error.strerror or error})"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None
