"""Auth's queries about failed sign-ins, in the caller's unit of work."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.tables import AuthTable

_ATTEMPTS = AuthTable.metadata.tables["sign_in_attempts"]
_KNOWN = AuthTable.metadata.tables["known_addresses"]


@dataclass(frozen=True)
class Attempts:
    """How often it failed, until when nobody may try, and when all of it is forgotten."""

    failures: int
    locked_until: datetime | None
    forgotten_at: datetime


class AttemptQueries:
    """What is known of attempts to sign in, and from where some succeeded, by digests."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def locked(self, keys: Iterable[bytes], now: datetime) -> dict[bytes, Attempts]:
        """What is known under the keys; nobody else counts under them before this block ends."""
        # Always in one order: two that share keys do not wait for each other in a circle.
        nothing = [{"key": key, "failures": 0, "forgotten_at": now} for key in sorted(keys)]
        known = await self._connection.execute(
            upsert(_ATTEMPTS)
            .values(nothing)
            .on_conflict_do_update(index_elements=["key"], set_={"failures": _ATTEMPTS.c.failures})
            .returning(*_ATTEMPTS.c)
        )
        return {row.key: Attempts(row.failures, row.locked_until, row.forgotten_at) for row in known}

    async def write(self, attempts: Mapping[bytes, Attempts]) -> None:
        """Put what is known now in the place of what was known."""
        await self._connection.execute(
            update(_ATTEMPTS)
            .where(_ATTEMPTS.c.key == bindparam("of"))
            .values(
                failures=bindparam("failures"),
                locked_until=bindparam("locked_until"),
                forgotten_at=bindparam("forgotten_at"),
            ),
            [
                {
                    "of": key,
                    "failures": known.failures,
                    "locked_until": known.locked_until,
                    "forgotten_at": known.forgotten_at,
                }
                for key, known in attempts.items()
            ],
        )

    async def is_known(self, key: bytes, now: datetime) -> bool:
        """Whether somebody has signed in to the account from the address, by a digest of both."""
        query = select(_KNOWN.c.key).where(_KNOWN.c.key == key, _KNOWN.c.forgotten_at > now)
        return await self._connection.scalar(query) is not None

    async def know(self, key: bytes, forgotten_at: datetime) -> None:
        """Note that somebody has, until then."""
        await self._connection.execute(
            upsert(_KNOWN)
            .values(key=key, forgotten_at=forgotten_at)
            .on_conflict_do_update(index_elements=["key"], set_={"forgotten_at": forgotten_at})
        )

    async def forget(self, now: datetime) -> int:
        """Drop what is forgotten; answers how much.

        What somebody counts under stays for now: an attempt locks several keys, and is not to wait in a
        circle with us.
        """
        dropped = 0
        for table in (_ATTEMPTS, _KNOWN):
            forgotten = (
                select(table.c.key).where(table.c.forgotten_at <= now).with_for_update(skip_locked=True)
            )
            gone = await self._connection.execute(delete(table).where(table.c.key.in_(forgotten)))
            dropped += gone.rowcount
        return dropped
