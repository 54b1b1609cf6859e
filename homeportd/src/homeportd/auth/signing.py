"""Signed values for cookies: HMAC-SHA256 under a key of this machine (RFC 2104)."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

KEY_BYTES = 32
MAX_VALUE = 512  # characters of a signed value


def read_key(path: Path) -> bytes:
    """The machine's key; made, readable by its owner alone, when there is none yet."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        # Written under another name and linked into place, so that a crash leaves no half key.
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise ValueError(f"{path} is not a key of {KEY_BYTES} bytes")
    return key


class Signer:
    """Signs short texts for one purpose; a value signed for another purpose does not verify."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hmac.digest(key, purpose.encode(), "sha256")

    def sign(self, text: str) -> str:
        """The text with its code: `text~hex`."""
        return f"{text}~{self._code(text)}"

    def verify(self, value: str) -> str | None:
        """The text, or None when it was not signed by us for this purpose."""
        if len(value) > MAX_VALUE or not value.isascii():
            return None
        text, _, code = value.rpartition("~")
        return text if hmac.compare_digest(code, self._code(text)) else None

    def _code(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
