"""Certificate authorities that a client trusts, of its edge and of local servers."""

from __future__ import annotations

import functools
import os
import ssl
from pathlib import Path
from typing import Final

# Where a system keeps its authorities though its Python may not know: python.org's for macOS has none of its own
# until somebody runs the "Install Certificates" that lies beside it.
BUNDLES: Final = (Path("/etc/ssl/cert.pem"),)


def context(ca: str | None) -> ssl.SSLContext:
    """A TLS context of a client, which verifies certificates and names. Raises OSError, ssl.SSLError."""
    return ssl.create_default_context(cafile=ca or _bundle(ssl.get_default_verify_paths()))


@functools.cache
def server_context(*, verified: bool) -> ssl.SSLContext:
    """A TLS context for a web server behind a tunnel, of HTTP/1.1; not `verified`: any certificate will do, since a dev
    server on loopback has one that nobody signed. Raises OSError, ssl.SSLError.
    """
    made = context(None) if verified else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not verified:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.set_alpn_protocols(["http/1.1"])
    return made


def with_system(ca: str | None) -> ssl.SSLContext:
    """A TLS context for a proxy: the system's authorities, and those of a file. Raises OSError, ssl.SSLError."""
    made = context(None)
    if ca:
        made.load_verify_locations(ca)
    return made


def _bundle(known: ssl.DefaultVerifyPaths) -> str | None:
    """A file of certificate authorities; None where OpenSSL finds some by itself."""
    if known.cafile or (known.capath and os.listdir(known.capath)):  # noqa: PTH208 - names alone
        return None
    return next((str(path) for path in BUNDLES if path.is_file()), None)
