"""Texts that are encrypted at rest under the machine's key.

Encrypt-then-MAC with HMAC-SHA256 (RFC 2104), as a pseudorandom function in counter mode and as the code: the standard
library has no cipher, and the agent needs one for a few tokens alone. A nonce of 16 random bytes is never used twice.
"""

from __future__ import annotations

import base64
import hmac
import secrets

NONCE = 16  # bytes
CODE = 32  # bytes
_VERSION = "1."


class SecretBox:
    """Encrypts texts for one purpose; what was encrypted for another does not open."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._encryption = hmac.digest(key, f"{purpose}: encryption".encode(), "sha256")
        self._authentication = hmac.digest(key, f"{purpose}: authentication".encode(), "sha256")

    def seal(self, text: str, context: str) -> str:
        """The text encrypted, in ASCII; it opens with the same context alone, such as the name of its field."""
        nonce = secrets.token_bytes(NONCE)
        hidden = self._mask(nonce, text.encode())
        code = self._code(nonce, hidden, context)
        return _VERSION + base64.urlsafe_b64encode(nonce + hidden + code).decode()

    def open(self, sealed: str, context: str) -> str:
        """The text. Raises ValueError for what this box has not sealed in this context."""
        if not sealed.startswith(_VERSION):
            raise ValueError("not a sealed text")
        data = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
        nonce, hidden, code = data[:NONCE], data[NONCE:-CODE], data[-CODE:]
        if len(data) < NONCE + CODE or not hmac.compare_digest(code, self._code(nonce, hidden, context)):
            raise ValueError("sealed with another key, or changed")
        return self._mask(nonce, hidden).decode()

    def _mask(self, nonce: bytes, data: bytes) -> bytes:
        stream = b"".join(
            hmac.digest(self._encryption, nonce + block.to_bytes(8, "big"), "sha256")
            for block in range(-(-len(data) // 32))
        )
        return bytes(a ^ b for a, b in zip(data, stream, strict=False))

    def _code(self, nonce: bytes, hidden: bytes, context: str) -> bytes:
        name = context.encode()
        return hmac.digest(
            self._authentication, len(name).to_bytes(8, "big") + name + nonce + hidden, "sha256"
        )
