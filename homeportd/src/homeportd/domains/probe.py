"""A TLS handshake for a domain, as a browser would make it: which certificate the edge shows."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from homeportd.domains.model import Certificate

HANDSHAKE_S: Final = 3.0


class NoCertificate(Exception):
    """The edge shows no certificate that a browser would take; the text says why."""


async def probe(address: str, domain: str, roots: Path | None) -> Certificate:
    """Shake hands at `address` (HOST:PORT) as a visitor of `domain`. Raises NoCertificate.

    `roots`: a PEM file of the authorities to trust; None: the system's.
    """
    host, _, port = address.rpartition(":")
    try:
        context = await asyncio.to_thread(ssl.create_default_context, cafile=roots)
        async with asyncio.timeout(HANDSHAKE_S):
            _, writer = await asyncio.open_connection(
                host.strip("[]"), int(port), ssl=context, server_hostname=domain
            )
            shown = writer.get_extra_info("peercert")
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        raise NoCertificate(f"the certificate is not good: {error.verify_message}") from None
    except TimeoutError:
        raise NoCertificate(f"no answer from {address} within {HANDSHAKE_S:g} s") from None
    except OSError as error:
        raise NoCertificate(f"no handshake at {address}: {error.strerror or error}") from None
    return read(shown)


def read(shown: dict[str, Any]) -> Certificate:
    """The certificate in the form of `ssl.SSLSocket.getpeercert`."""
    issuer = {key: value for part in shown["issuer"] for key, value in part}
    return Certificate(
        issuer=str(issuer.get("commonName") or issuer.get("organizationName") or "unknown"),
        not_before=_moment(shown["notBefore"]),
        not_after=_moment(shown["notAfter"]),
        serial=str(shown["serialNumber"]),
    )


def _moment(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
