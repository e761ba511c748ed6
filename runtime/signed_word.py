"""A few claims in a header that only holders of one secret can have written."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


class NotSigned(Exception):
    """Nobody with the secret has written this."""


class NotReadable(Exception):
    """It was signed and holds no claims: it was written by another version of ours."""


class SignedWord:
    """Writes and reads such words; `purpose` keeps those of one kind from passing for another's."""

    def __init__(self, purpose: str, secret: str) -> None:
        self._key = hashlib.sha256(f"micromart.{purpose}:{secret}".encode()).digest()

    def write(self, claims: Mapping[str, Any]) -> str:
        payload = base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{payload.decode()}.{self._mac(payload)}"

    def read(self, word: str) -> Any:
        """The claims as written, or NotSigned or NotReadable; whether they hold still is not asked."""
        payload, _, mac = word.partition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(payload.encode()).encode()):
            raise NotSigned
        try:
            return json.loads(base64.urlsafe_b64decode(payload))
        except (binascii.Error, ValueError) as error:
            raise NotReadable from error

    def _mac(self, payload: bytes) -> str:
        return hmac.new(self._key, payload, hashlib.sha256).hexdigest()
