"""Certificate authorities that a client trusts: a file of the user's choice, else the system's."""

from __future__ import annotations

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


def _bundle(known: ssl.DefaultVerifyPaths) -> str | None:
    """A file of certificate authorities; None where OpenSSL finds some by itself."""
    if known.cafile or (known.capath and os.listdir(known.capath)):  # noqa: PTH208 - names alone
        return None
    return next((str(path) for path in BUNDLES if path.is_file()), None)
