"""Signatures of pictures' URLs: a name and the end of its time, sealed with a secret."""

from __future__ import annotations

import hashlib
import hmac
import secrets

SECRET_BYTES = 32


class UrlSigner:
    """Without a secret one is drawn, and its URLs die with the process."""

    __slots__ = ("_key",)

    def __init__(self, secret: bytes | None = None) -> None:
        self._key = hashlib.sha256(secret or secrets.token_bytes(SECRET_BYTES)).digest()

    def path(self, name: str, expires: int) -> str:
        """'/files/<id>.png?expires=...&signature=...'"""
        return f"/files/{name}?expires={expires}&signature={self._signature(name, str(expires))}"

    def is_genuine(self, name: str, expires: str, signature: str) -> bool:
        """Whether `path` made it: then `expires` is a number as `path` writes it, and may lie in the past."""
        # As bytes: compare_digest takes no text beyond ASCII.
        return hmac.compare_digest(self._signature(name, expires).encode(), signature.encode("utf-8", "replace"))

    def _signature(self, name: str, expires: str) -> str:
        signed = f"calotype file\n{name}\n{expires}".encode("utf-8", "replace")
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "UrlSigner(...)"
