"""Which key signs, which ones verify, and how one takes over from another without a token refused."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from joserfc.jwk import ECKey

from contracts.auth import PublicKey
from runtime.clock import Clock, utc_now
from services.auth.errors import KeyInUse, KeyUnknown, RotationUnderWay
from services.auth.key_store import KeptKey
from services.auth.signing import KeySeal
from services.auth.store import AuthStore, AuthTransaction

# What clocks may differ by, and an access token may be late by at the edge.
MARGIN = timedelta(seconds=60)
_TIME = "%Y-%m-%d %H:%M:%S UTC"


class KeyState(StrEnum):
    """What a key is good for now."""

    NEXT = "next"
    SIGNS = "signs"
    VERIFIES = "verifies"
    RETIRED = "retired"


@dataclass(frozen=True)
class SigningKey:
    """A key as its keeper sees it; `needed_until` is when the last token that it signed has expired."""

    kid: str
    state: KeyState
    created_at: datetime
    signs_from: datetime
    needed_until: datetime | None
    retired_at: datetime | None


class SigningKeys:
    """The keys of the access tokens: the first makes itself, all others are an operator's."""

    def __init__(
        self, store: AuthStore, seal: KeySeal, *, access_lifetime: timedelta, clock: Clock = utc_now
    ) -> None:
        self._store = store
        self._seal = seal
        self._access_lifetime = access_lifetime
        self._clock = clock

    async def published(self) -> list[PublicKey]:
        """Every key that a token of ours is or will be signed with; safe to repeat."""
        async with self._store.begin() as tx:
            return [key.sealed.public for key in await self._live(tx, self._clock())]

    async def ready(self) -> None:
        """Nothing, when the database answers and tokens can be signed."""
        async with self._store.begin() as tx:
            await self.signer(tx, self._clock())

    async def signer(self, tx: AuthTransaction, now: datetime) -> ECKey:
        """The key that signs now."""
        signs = _signer(await self._live(tx, now), now)
        assert signs is not None, "there is always one"
        return self._seal.open(signs.sealed)

    async def keys(self) -> list[SigningKey]:
        """Every key that there ever was, the newest first."""
        async with self._store.begin() as tx:
            return self._seen(await tx.signing_keys.all(), self._clock())

    async def rotate(self, publish_for: timedelta) -> SigningKey:
        """Publish a new key now, and let it sign after that time; refused while one waits already."""
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.signing_keys.lock()
            for key in await self._live(tx, now):
                if key.signs_from > now:
                    raise RotationUnderWay(f"the key {key.kid} takes over at {key.signs_from:{_TIME}}")
            following = KeptKey(self._seal.new_key(), now, now + publish_for)
            await tx.signing_keys.add(following)
            return self._of(following.kid, await tx.signing_keys.all(), now)

    async def retire(self, kid: str, *, compromised: bool = False) -> SigningKey:
        """Take a key out of use: once no token of its can live, or at once if others have it. Safe to repeat.

        When it was the one that signs, the one before it signs again, which every gateway knows; without any,
        the one that waits takes over, or a new one.
        """
        now = self._clock()
        async with self._store.begin() as tx:
            await tx.signing_keys.lock()
            found = self._of(kid, await tx.signing_keys.all(), now)
            if found.state is KeyState.RETIRED:
                return found
            if not compromised:
                _refuse_while_needed(found, now)
            await tx.signing_keys.retire(kid, now)
            await self._live(tx, now)
            return self._of(kid, await tx.signing_keys.all(), now)

    async def _live(self, tx: AuthTransaction, now: datetime) -> list[KeptKey]:
        """The keys that are not retired, one of which signs: made to, if need be."""
        live = [key for key in await tx.signing_keys.all() if key.retired_at is None]
        if _signer(live, now) is not None:
            return live
        await tx.signing_keys.lock()
        live = [key for key in await tx.signing_keys.all() if key.retired_at is None]
        if _signer(live, now) is not None:
            return live
        if live:
            await tx.signing_keys.let_sign(live[-1].kid, now)
            return [*live[:-1], replace(live[-1], signs_from=now)]
        await tx.signing_keys.add(first := KeptKey(self._seal.new_key(), now, now))
        return [first]

    def _of(self, kid: str, kept: Sequence[KeptKey], now: datetime) -> SigningKey:
        for key in self._seen(kept, now):
            if key.kid == kid:
                return key
        raise KeyUnknown(f"there is no signing key {kid}")

    def _seen(self, kept: Sequence[KeptKey], now: datetime) -> list[SigningKey]:
        live = [key for key in kept if key.retired_at is None]
        signs = _signer(live, now)
        seen = []
        for key in kept:
            state, needed_until = KeyState.RETIRED, None
            if key.retired_at is None:
                state = _state(key, signs, now)
                if state is KeyState.VERIFIES:
                    followed_at = min(other.signs_from for other in live if _follows(other, key))
                    needed_until = followed_at + self._access_lifetime + MARGIN
            seen.append(
                SigningKey(key.kid, state, key.created_at, key.signs_from, needed_until, key.retired_at)
            )
        return seen


def _signer(live: Sequence[KeptKey], now: datetime) -> KeptKey | None:
    """Of keys with the newest first, the newest whose time has come."""
    return next((key for key in live if key.signs_from <= now), None)


def _state(key: KeptKey, signs: KeptKey | None, now: datetime) -> KeyState:
    if key is signs:
        return KeyState.SIGNS
    return KeyState.NEXT if key.signs_from > now else KeyState.VERIFIES


def _follows(other: KeptKey, key: KeptKey) -> bool:
    return (other.signs_from, other.created_at) > (key.signs_from, key.created_at)


def _refuse_while_needed(key: SigningKey, now: datetime) -> None:
    if key.needed_until is None:
        doing = "signs" if key.state is KeyState.SIGNS else "is about to sign"
        raise KeyInUse(f"the key {key.kid} {doing}: rotate first")
    if key.needed_until > now:
        raise KeyInUse(f"tokens that {key.kid} signed may live until {key.needed_until:{_TIME}}")
