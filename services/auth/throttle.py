"""How often signing in may fail: for an account, whether there is one or not, and from an address."""

import hashlib
import ipaddress
import math
from collections.abc import Callable
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
DAY = timedelta(days=1)
# As long as a session may last: so long nobody who stays signed in becomes a stranger.
KNOWN_FOR = timedelta(days=90)
# A household has a /64 of IPv6 addresses to itself.
_NETWORK_BITS = 64
_DOUBLINGS = 10

# What is known after one more failure, of how many that are allowed.
Count = Callable[[Attempts, int, datetime], Attempts]


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


def counted_daily(known: Attempts, limit: int, now: datetime) -> Attempts:
    """What is known after one more failure: the one that reaches the limit locks what is left of the day."""
    if known.forgotten_at <= now:
        failures, ends_at = 1, now + DAY
    else:
        failures, ends_at = known.failures + 1, known.forgotten_at
    return Attempts(failures, ends_at if failures >= limit else None, ends_at)


def taken_back(known: Attempts) -> Attempts:
    """What is known when one failure was none."""
    return Attempts(max(known.failures - 1, 0), None, known.forgotten_at)


@dataclass(frozen=True)
class AttemptKeys:
    """What an attempt counts against, by digests: the tables hold neither what was typed nor an address.

    `here` is the account from this address: it counts apart once somebody has signed in to it from there.
    """

    account: bytes
    address: bytes | None = None
    here: bytes | None = None

    @classmethod
    def of(cls, email: str, address: str | None = None) -> "AttemptKeys":
        # What is no address counts all the same: an answer must not tell what was looked up.
        account = f"account:{rules.normalised_email(email) or email.strip().casefold()}"
        if address is None:
            return cls(_digest(account))
        network = f"address:{_network(address)}"
        return cls(_digest(account), _digest(network), _digest(f"{network} {account}"))


@dataclass(frozen=True)
class Attempt:
    """One that was counted, and under what."""

    keys: AttemptKeys
    subject: bytes


@dataclass(frozen=True)
class Throttle:
    """Counts every attempt as a failure before the password is looked at, so that none slips past at once.

    Strangers cannot lock an account where its owner signs in: a known address has a count of its own.
    """

    per_account: int = 10
    per_address: int = 100
    per_day: int = 100

    async def attempt(self, tx: AuthTransaction, keys: AttemptKeys, now: datetime) -> Attempt:
        """Count an attempt; TooManyAttempts while any of its counts is locked, whatever the password."""
        subject = keys.account
        if keys.here is not None and await tx.attempts.is_known(keys.here, now):
            subject = keys.here
        counts: dict[bytes, tuple[Count, int]] = {
            subject: (counted, self.per_account),
            _day_of(subject): (counted_daily, self.per_day),
        }
        if keys.address is not None:
            counts[keys.address] = (counted, self.per_address)
        known = await tx.attempts.locked(counts, now)
        locks = [found.locked_until for found in known.values() if found.locked_until is not None]
        if locks and (until := max(locks)) > now:
            raise TooManyAttempts(
                "signing in has failed too often: try again later",
                retry_after=math.ceil((until - now).total_seconds()),
            )
        await tx.attempts.write(
            {key: count(known[key], limit, now) for key, (count, limit) in counts.items()}
        )
        return Attempt(keys, subject)

    async def succeeded(self, tx: AuthTransaction, attempt: Attempt, now: datetime) -> None:
        """Begin anew for who signs in, and know them here; the day and the address lose this attempt only.

        Others may have failed there, and are not to begin anew because of it.
        """
        shared = {_day_of(attempt.subject)}
        if attempt.keys.address is not None:
            shared.add(attempt.keys.address)
        known = await tx.attempts.locked({attempt.subject, *shared}, now)
        await tx.attempts.write(
            {key: taken_back(known[key]) if key in shared else _nothing(now) for key in known}
        )
        await self._know(tx, attempt.keys, now)

    async def lift(self, tx: AuthTransaction, keys: AttemptKeys, now: datetime) -> None:
        """Forget all that failed for the account, and know the address: its owner is there."""
        subjects = {keys.account} if keys.here is None else {keys.account, keys.here}
        known = await tx.attempts.locked(subjects | {_day_of(subject) for subject in subjects}, now)
        await tx.attempts.write({key: _nothing(now) for key in known})
        await self._know(tx, keys, now)

    async def _know(self, tx: AuthTransaction, keys: AttemptKeys, now: datetime) -> None:
        if keys.here is not None:
            await tx.attempts.know(keys.here, now + KNOWN_FOR)


def _nothing(now: datetime) -> Attempts:
    return Attempts(0, None, now)


def _day_of(subject: bytes) -> bytes:
    return hashlib.sha256(b"day:" + subject).digest()


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
