"""What a refresh was answered with, kept for a moment so that a second tab is given the same."""

import json
from dataclasses import asdict, dataclass, field

from pydantic import SecretStr

from services.auth.sealing import NotSealed, Seal


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
        self._secret = secret

    def seal(self, spent: SecretStr, tokens: Tokens) -> bytes:
        return self._of(spent).seal(json.dumps(asdict(tokens)).encode())

    def open(self, spent: SecretStr, sealed: bytes) -> Tokens | None:
        """The answer again; None when it was sealed with another secret."""
        try:
            return Tokens(**json.loads(self._of(spent).open(sealed)))
        except NotSealed:
            return None

    def _of(self, spent: SecretStr) -> Seal:
        return Seal(self._secret, "refresh-answers", salt=spent.get_secret_value().encode())
