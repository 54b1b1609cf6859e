"""Texts that are encrypted at rest under the machine's key."""

from __future__ import annotations

import base64
import hmac
import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE: Final = 12  # bytes, random: good for 2^32 texts of one key (NIST SP 800-38D, 8.3)
_VERSION: Final = "1."


class SecretBox:
    """Encrypts texts for one purpose by AES-256-GCM; what was encrypted for another does not open.

    The library is imported at the first text: an agent without a secret does not hold its 6 MB.
    """

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hmac.digest(key, f"{purpose}: encryption".encode(), "sha256")
        self._made: AESGCM | None = None

    def seal(self, text: str, context: str) -> str:
        """The text encrypted, in ASCII; it opens with the same context alone, such as the name of its field."""
        nonce = secrets.token_bytes(NONCE)
        sealed = self._cipher().encrypt(nonce, text.encode(), context.encode())
        return _VERSION + base64.urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, context: str) -> str:
        """The text. Raises ValueError for what this box has not sealed in this context."""
        from cryptography.exceptions import InvalidTag

        if not sealed.startswith(_VERSION):
            raise ValueError("not a sealed text")
        data = base64.urlsafe_b64decode(sealed.removeprefix(_VERSION))
        try:
            return self._cipher().decrypt(data[:NONCE], data[NONCE:], context.encode()).decode()
        except InvalidTag:
            raise ValueError("sealed with another key, or changed") from None

    def _cipher(self) -> AESGCM:
        if self._made is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

            self._made = AESGCM(self._key)
        return self._made
