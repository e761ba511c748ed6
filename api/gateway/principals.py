"""Who calls: an access token of a session that has not ended, or an API key."""

from collections.abc import Sequence

from api.gateway.api_keys import ApiKeys
from api.gateway.errors import SessionEnded
from api.gateway.principal import Principal
from api.gateway.revocations import Revocations
from api.gateway.tokens import TokenVerifier
from contracts.auth import API_KEY_PREFIX
from contracts.errors import Forbidden

_SCHEME = b"bearer "
_API_KEY = _SCHEME + API_KEY_PREFIX.encode()


class Principals:
    """Turns Authorization headers into a principal; what does not hold is refused, never ignored."""

    def __init__(self, tokens: TokenVerifier, keys: ApiKeys, revocations: Revocations) -> None:
        self._tokens = tokens
        self._keys = keys
        self._revocations = revocations

    def is_unknown_key(self, authorization: Sequence[bytes]) -> bool:
        """Whether it is an API key that has not held before, so that auth may have to be asked about it."""
        key = _api_key(authorization)
        return key is not None and not self._keys.knows(key)

    async def of(self, authorization: Sequence[bytes]) -> Principal | None:
        """Who sent these Authorization headers; None for a request without any."""
        key = _api_key(authorization)
        return await self._person(authorization) if key is None else await self._keys.caller(key)

    async def person(self, authorization: Sequence[bytes]) -> Principal | None:
        """Whose access token it is; None for a request without any. A key is refused without asking auth."""
        if _api_key(authorization) is not None:
            raise Forbidden("This is for people who are signed in.")
        return await self._person(authorization)

    async def _person(self, authorization: Sequence[bytes]) -> Principal | None:
        principal = await self._tokens.caller(authorization)
        if principal is not None and self._revocations.is_ended(principal.identity.session):
            raise SessionEnded("This session has ended: sign in again.")
        return principal


def _api_key(authorization: Sequence[bytes]) -> bytes | None:
    if len(authorization) != 1 or authorization[0][: len(_API_KEY)].lower() != _API_KEY:
        return None
    return authorization[0][len(_SCHEME) :].strip()
