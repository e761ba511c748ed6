"""The keys that auth signs access tokens with, fetched seldom and kept through its outages."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import BaseModel, Field, JsonValue, ValidationError

from api.gateway.errors import KeysUnavailable, TokenInvalid
from contracts.auth import PublicKey
from runtime.answers import read_within
from runtime.logs import get_logger

log = get_logger(__name__)

# Older keys are fetched anew with the next token; a retired one is heard of before that.
FRESH_SECONDS = 30.0
# An unknown key may be a new one, or an invention: auth is asked at most this often.
COOLDOWN_SECONDS = 5.0
COOLDOWN_AFTER_FAILURE_SECONDS = 1.0
FETCH_SECONDS = 2.0

Fetch = Callable[[], Awaitable[bytes]]


class _Jwks(BaseModel):
    """What auth publishes; a key of another kind than ours is not looked into."""

    keys: tuple[Annotated[PublicKey | JsonValue, Field(union_mode="left_to_right")], ...]


class KeySource:
    """The public keys by their id; one fetch at a time, however many ask."""

    def __init__(self, fetch: Fetch, *, now: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._now = now
        self._keys: Mapping[str, ECKey] = {}
        self._retired: frozenset[str] = frozenset()
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._failed = False
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> ECKey:
        """The key of that id; TokenInvalid when auth has none, KeysUnavailable when it cannot be asked."""
        if (held := self._keys.get(kid)) is not None:
            if self._now() - self._fetched_at > FRESH_SECONDS:
                self._refresh_if_due()
            return held
        if kid in self._retired:
            raise TokenInvalid("This token was signed with a key that was retired.")
        await self._refreshed()
        if (held := self._keys.get(kid)) is not None:
            return held
        if self._failed:
            raise KeysUnavailable("Tokens cannot be verified now: the keys of auth are out of reach.")
        raise TokenInvalid("This token was not signed with a key of ours.")

    def holds(self, kid: str) -> bool:
        """Whether what this key signed may be taken, as far as is known here."""
        return kid in self._keys

    def retire(self, kids: frozenset[str]) -> None:
        """Take nothing any more that these keys signed, also if a late answer has them. Safe to repeat."""
        retired = kids - self._retired
        if not retired:
            return
        self._retired |= retired
        self._keys = self._without_retired(self._keys)
        # Which key signs instead may be new, and nobody is to wait for it.
        self._tried_at = float("-inf")
        log.info("keys_retired", kids=sorted(retired), held=len(self._keys))

    async def ready(self) -> None:
        """KeysUnavailable unless keys are at hand or can be had now."""
        if not self._keys:
            await self._refreshed()
        if not self._keys:
            raise KeysUnavailable("The keys of auth are out of reach.")

    async def close(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait({self._refreshing})

    async def _refreshed(self) -> None:
        refresh = self._refresh_if_due()
        if refresh is not None:
            # Shielded: one of those who wait may leave, and the others still need it.
            await asyncio.shield(refresh)

    def _refresh_if_due(self) -> "asyncio.Task[None] | None":
        if self._refreshing is not None:
            return self._refreshing
        cooldown = COOLDOWN_AFTER_FAILURE_SECONDS if self._failed else COOLDOWN_SECONDS
        if self._now() - self._tried_at < cooldown:
            return None
        self._tried_at = self._now()
        self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> None:
        try:
            self._keys = self._without_retired(_keys_in(await self._fetch()))
            self._fetched_at = self._now()
            self._failed = False
        except (aiohttp.ClientError, TimeoutError, OSError, JoseError, ValidationError, ValueError) as error:
            self._failed = True
            log.warning("keys_not_fetched", reason=f"{type(error).__name__}: {error}", held=len(self._keys))
        finally:
            self._refreshing = None

    def _without_retired(self, keys: Mapping[str, ECKey]) -> Mapping[str, ECKey]:
        return {kid: key for kid, key in keys.items() if kid not in self._retired}


def _keys_in(body: bytes) -> dict[str, ECKey]:
    published = _Jwks.model_validate_json(body).keys
    ours = [key for key in published if isinstance(key, PublicKey)]
    if not ours:
        raise ValueError("auth published no key that tokens of ours are signed with")
    return {
        key.kid: ECKey.import_key({"kty": key.kty, "crv": key.crv, "x": key.x, "y": key.y}) for key in ours
    }


def fetch_over(session: aiohttp.ClientSession, auth_url: str) -> Fetch:
    """A fetch of auth's published keys."""

    async def fetch() -> bytes:
        async with session.get(
            f"{auth_url}/.well-known/jwks.json",
            timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
            raise_for_status=True,
        ) as response:
            return await read_within(response)

    return fetch
