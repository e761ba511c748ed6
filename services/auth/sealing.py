"""What is made and opened with our secret: each purpose has a key of its own."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12


class NotSealed(Exception):
    """Sealed with another key, for another purpose or to go with something else; or changed since."""


def derived_key(secret: str, purpose: str, salt: bytes | None = None) -> bytes:
    """The key for one purpose, from which neither the secret nor another purpose's key is learned."""
    return HKDF(SHA256(), length=32, salt=salt, info=f"micromart.auth.{purpose}".encode()).derive(
        secret.encode()
    )


class Seal:
    """Encrypts what only a holder of the same secret is to read, and nobody to change."""

    def __init__(self, secret: str, purpose: str, salt: bytes | None = None) -> None:
        self._cipher = AESGCM(derived_key(secret, purpose, salt))

    def seal(self, content: bytes, goes_with: bytes | None = None) -> bytes:
        """The content, encrypted; `goes_with` is not in it, but without it nobody opens it."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, content, goes_with)

    def open(self, sealed: bytes, goes_with: bytes | None = None) -> bytes:
        """The content as it was sealed; NotSealed for anything else."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], goes_with)
        except (InvalidTag, ValueError) as error:
            # A ValueError where it is too short to be anything.
            raise NotSealed from error
