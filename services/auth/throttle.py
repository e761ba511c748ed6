"""How often signing in may fail: for an account, whether there is one or not, and from an address."""

import hashlib
import ipaddress
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth import rules
from services.auth.attempt_store import Attempts
from services.auth.errors import TooManyAttempts
from services.auth.store import AuthTransaction

WINDOW = timedelta(minutes=15)
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(minutes=15)
# Whoever goes on after a lock finds the next one longer, unless they were quiet for so long.
REMEMBERED = timedelta(hours=1)
# A household has a /64 of IPv6 addresses to itself.
_NETWORK_BITS = 64
_DOUBLINGS = 10


def counted(known: Attempts, limit: int, now: datetime) -> Attempts:
    """What is known after one more failure: the one that reaches the limit locks, the next for longer."""
    if known.forgotten_at <= now:
        failures, forgotten_at = 1, now + WINDOW
    else:
        failures, forgotten_at = known.failures + 1, known.forgotten_at
    if failures < limit:
        return Attempts(failures, None, forgotten_at)
    locked_until = now + min(FIRST_LOCK * 2 ** min(failures - limit, _DOUBLINGS), LONGEST_LOCK)
    return Attempts(failures, locked_until, locked_until + REMEMBERED)


@dataclass(frozen=True)
class AttemptKeys:
    """What an attempt counts against, by digests: the tables hold neither what was typed nor an address."""

    account: bytes
    address: bytes | None = None

    @classmethod
    def of(cls, email: str, address: str | None = None) -> "AttemptKeys":
        # What is no address counts all the same: an answer must not tell what was looked up.
        account = rules.normalised_email(email) or email.strip().casefold()
        return cls(
            _digest(f"account:{account}"),
            _digest(f"address:{_network(address)}") if address is not None else None,
        )


@dataclass(frozen=True)
class Throttle:
    """Counts every attempt as a failure before the password is looked at, so that none slips past at once."""

    per_account: int = 10
    per_address: int = 100

    async def attempt(self, tx: AuthTransaction, keys: AttemptKeys, now: datetime) -> None:
        """Count an attempt; TooManyAttempts while either is locked, whatever the password."""
        limits = {keys.account: self.per_account}
        if keys.address is not None:
            limits[keys.address] = self.per_address
        known = await tx.attempts.locked(limits, now)
        locks = [found.locked_until for found in known.values() if found.locked_until is not None]
        if locks and (until := max(locks)) > now:
            raise TooManyAttempts(
                "signing in has failed too often: try again later",
                retry_after=math.ceil((until - now).total_seconds()),
            )
        await tx.attempts.write({key: counted(known[key], limit, now) for key, limit in limits.items()})

    async def succeeded(self, tx: AuthTransaction, keys: AttemptKeys) -> None:
        """Forget the account's failures; of its address this attempt only: others may have failed there."""
        await tx.attempts.clear(keys.account)
        if keys.address is not None:
            await tx.attempts.take_back(keys.address)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found), _NETWORK_BITS), strict=False))
