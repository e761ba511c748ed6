"""What a refresh was answered with, kept for a moment so that a second tab is given the same."""

import json
import os
from dataclasses import asdict, dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_NONCE_BYTES = 12


@dataclass(frozen=True)
class Tokens:
    """What a session's owner holds: a short-lived access token, and a refresh token to spend once."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int


class AnswerSeal:
    """Seals an answer so that only our secret and the token that was spent for it open it again.

    Of the token the database has a hash alone: not even database and secret together give a session away.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def seal(self, spent: SecretStr, tokens: Tokens) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(spent).encrypt(nonce, json.dumps(asdict(tokens)).encode(), None)

    def open(self, spent: SecretStr, sealed: bytes) -> Tokens | None:
        """The answer again; None when it was sealed with another secret."""
        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return Tokens(**json.loads(self._cipher(spent).decrypt(nonce, ciphertext, None)))
        except InvalidTag:
            return None

    def _cipher(self, spent: SecretStr) -> AESGCM:
        salt = spent.get_secret_value().encode()
        derived = HKDF(SHA256(), length=32, salt=salt, info=b"micromart.auth.refresh-answers")
        return AESGCM(derived.derive(self._secret))
