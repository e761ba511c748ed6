"""Machines at the edge: whose API key this is, asked of auth and remembered for seconds."""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable

from cachetools import LRUCache
from pydantic import SecretStr

from api.gateway.errors import TokenRefused
from api.gateway.principal import Principal
from contracts.auth import API_KEY_PREFIX, ApiKeyCheck, ApiKeyGrant
from contracts.errors import Kind, Refused, Unavailable
from contracts.identity import Identity, Role
from runtime.http_client import ServiceClient

# A revoked key is refused within five seconds: a good answer is not used for longer, nor asked for slowly.
GOOD_SECONDS = 4.0
BAD_SECONDS = 2.0
CHECK_SECONDS = 1.0
REMEMBERED = 10_000
# What a flood of made-up keys can have auth do at once; keys that held before are asked about beside it.
CHECKS_AT_ONCE = 32

_FORM = re.compile(API_KEY_PREFIX.encode() + rb"[0-9a-f]{16}_[0-9a-f]{64}")

Check = Callable[[ApiKeyCheck], Awaitable[ApiKeyGrant]]


class ApiKeyInvalid(TokenRefused):
    code = "auth.api_key_invalid"


class ApiKeysUnavailable(Unavailable):
    """Auth cannot be asked now whose key this is."""

    code = "auth.api_keys_unavailable"


class _Known:
    """A machine, and until when its key need not be asked about."""

    __slots__ = ("principal", "until")

    def __init__(self, principal: Principal, until: float) -> None:
        self.principal = principal
        self.until = until


def check_at(auth: ServiceClient) -> Check:
    """Asks auth itself."""

    async def check(key: ApiKeyCheck) -> ApiKeyGrant:
        return await auth.call(
            "POST", "/internal/api-keys/checks", ApiKeyGrant, body=key, timeout=CHECK_SECONDS
        )

    return check


class ApiKeys:
    """Turns an API key into its principal; one that does not hold is refused. One check a key at once."""

    def __init__(self, check: Check, *, now: Callable[[], float] = time.monotonic) -> None:
        self._check = check
        self._now = now
        # By the key's digest. Apart, so that a flood of bad ones does not push out the good.
        self._good: LRUCache[bytes, _Known] = LRUCache(REMEMBERED)
        self._bad: LRUCache[bytes, float] = LRUCache(REMEMBERED)
        self._asking: dict[bytes, asyncio.Task[Principal]] = {}

    def knows(self, token: bytes) -> bool:
        """Whether the key has held before: then its holder pays for what is asked about it."""
        return hashlib.sha256(token).digest() in self._good

    async def caller(self, token: bytes) -> Principal:
        """Whose key it is; ApiKeyInvalid where it holds not, ApiKeysUnavailable where nobody can tell."""
        digest = hashlib.sha256(token).digest()
        known = self._good.get(digest)
        if known is not None and self._now() < known.until:
            return known.principal
        if self._bad.get(digest, 0.0) > self._now() or not _FORM.fullmatch(token):
            raise ApiKeyInvalid("This API key does not hold.")
        asking = self._asking.get(digest)
        if asking is None:
            if known is None and len(self._asking) >= CHECKS_AT_ONCE:
                raise ApiKeysUnavailable("Too many keys are being checked, try again.", retry_after=1)
            asking = self._asking[digest] = asyncio.create_task(self._ask(digest, token))
            asking.add_done_callback(lambda task: self._asked(digest, task))
        # A client that leaves does not end the check for the others that wait for it.
        return await asyncio.shield(asking)

    async def close(self) -> None:
        """End the checks that run."""
        running = list(self._asking.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _ask(self, digest: bytes, token: bytes) -> Principal:
        # From before the question: the answer may be as old as that.
        asked_at = self._now()
        try:
            grant = await self._check(ApiKeyCheck(key=SecretStr(token.decode())))
        except Refused as error:
            self._good.pop(digest, None)
            if error.refusal.kind is not Kind.UNAUTHENTICATED:
                raise ApiKeysUnavailable("API keys cannot be checked now, try again.") from error
            self._bad[digest] = asked_at + BAD_SECONDS
            raise ApiKeyInvalid("This API key does not hold.") from None
        except Unavailable as error:
            raise ApiKeysUnavailable("API keys cannot be checked now, try again.") from error
        principal = self._principal(digest, grant)
        self._good[digest] = _Known(principal, asked_at + GOOD_SECONDS)
        return principal

    def _principal(self, digest: bytes, grant: ApiKeyGrant) -> Principal:
        """The same principal as before while nothing has changed: the word about it is made already."""
        known = self._good.get(digest)
        if known is not None and known.principal.scopes == grant.scopes:
            return known.principal
        identity = Identity(subject=f"key:{grant.key_id}", roles=frozenset({Role.STAFF}))
        return Principal(identity, grant.scopes)

    def _asked(self, digest: bytes, task: "asyncio.Task[Principal]") -> None:
        del self._asking[digest]
        # Where all who waited have left, nobody else looks at it.
        if not task.cancelled():
            task.exception()
