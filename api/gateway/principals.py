"""Who calls: an access token of a session that has not ended, or an API key."""

from collections.abc import Sequence

from api.gateway.api_keys import ApiKeys
from api.gateway.errors import SessionEnded
from api.gateway.principal import Principal
from api.gateway.revocations import Revocations
from api.gateway.tokens import TokenVerifier
from contracts.auth import API_KEY_PREFIX

_API_KEY = f"bearer {API_KEY_PREFIX}".encode()


class Principals:
    """Turns Authorization headers into a principal; what does not hold is refused, never ignored."""

    def __init__(self, tokens: TokenVerifier, keys: ApiKeys, revocations: Revocations) -> None:
        self._tokens = tokens
        self._keys = keys
        self._revocations = revocations

    async def of(self, authorization: Sequence[bytes]) -> Principal | None:
        """Who sent these Authorization headers; None for a request without any."""
        if not authorization:
            return None
        if len(authorization) == 1 and authorization[0][: len(_API_KEY)].lower() == _API_KEY:
            return await self._keys.caller(authorization[0][len(b"bearer ") :].strip())
        principal = await self._tokens.caller(authorization)
        if principal is not None and self._revocations.is_ended(principal.identity.session):
            raise SessionEnded("This session has ended: sign in again.")
        return principal
