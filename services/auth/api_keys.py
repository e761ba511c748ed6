"""API keys: with which machines prove themselves; shown once, known by their digest, ended at any time."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex

from pydantic import SecretStr

from contracts.auth import API_KEY_PREFIX, ApiKeyGrant, Scope
from runtime.clock import Clock, utc_now
from services.auth.api_key_store import ApiKey
from services.auth.errors import ApiKeyRefused, InvalidExpiry, UnknownApiKey
from services.auth.store import AuthStore

# 256 random bits: nothing is gained by a slow digest of them.
_KEY = re.compile(API_KEY_PREFIX + r"([0-9a-f]{16})_([0-9a-f]{64})")
# A key in use is used all the time; its row need not be written each time.
USE_NOTED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class NewApiKey:
    """A key that was just made, with the only copy of its secret."""

    key: ApiKey
    secret: SecretStr


class ApiKeys:
    """Makes, ends and checks the keys of machines."""

    def __init__(self, store: AuthStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self, name: str, scopes: Iterable[Scope], *, created_by: str, expires_at: datetime | None = None
    ) -> NewApiKey:
        """Make a key. Not safe to repeat: each time, it is another one."""
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise InvalidExpiry("a key cannot expire before it is made")
        key_id, secret = token_hex(8), token_hex(32)
        key = ApiKey(
            id=key_id,
            name=name,
            scopes=frozenset(scopes),
            created_by=created_by,
            created_at=now,
            expires_at=expires_at,
            hash=_digest(secret),
        )
        async with self._store.begin() as tx:
            await tx.api_keys.add(key)
        return NewApiKey(key, SecretStr(f"{key.prefix}_{secret}"))

    async def keys(self, *, after: tuple[datetime, str] | None = None, limit: int) -> list[ApiKey]:
        """All keys, those that have ended too, the newest first."""
        async with self._store.begin() as tx:
            return await tx.api_keys.page(after=after, limit=limit)

    async def revoke(self, key_id: str) -> None:
        """End a key: within seconds, no gateway takes it any more. Safe to repeat."""
        async with self._store.begin() as tx:
            if not await tx.api_keys.revoke(key_id, self._clock()):
                raise UnknownApiKey("there is no such key")

    async def check(self, secret: SecretStr) -> ApiKeyGrant:
        """What a key may do; ApiKeyRefused, whatever is wrong with it. Safe to repeat."""
        parts = _KEY.fullmatch(secret.get_secret_value())
        if parts is None:
            raise ApiKeyRefused("this is not an API key that holds")
        now = self._clock()
        async with self._store.begin() as tx:
            key = await tx.api_keys.key(parts[1])
            if key is None or not hmac.compare_digest(key.hash, _digest(parts[2])) or not key.holds(now):
                raise ApiKeyRefused("this is not an API key that holds")
            if key.last_used_at is None or now - key.last_used_at >= USE_NOTED_EVERY:
                await tx.api_keys.note_use(key.id, now)
        return ApiKeyGrant(key_id=key.id, scopes=key.scopes)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
