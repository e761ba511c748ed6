"""The queries about signing keys."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.auth import PublicKey
from services.auth.signing import SealedKey
from services.auth.tables import SigningKeyRow

# Two processes that both find no signing key wait for each other here, and the second finds the first's.
_KEY_LOCK = 2_718_281_828


@dataclass(frozen=True)
class KeptKey:
    """A signing key as it is stored; a retired one has no private part any more."""

    sealed: SealedKey
    created_at: datetime
    signs_from: datetime
    retired_at: datetime | None = None

    @property
    def kid(self) -> str:
        return self.sealed.public.kid


class KeyQueries:
    """Signing keys in one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self) -> None:
        """Let nobody else change a signing key before this block ends."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(_KEY_LOCK)))

    async def all(self) -> list[KeptKey]:
        """Every key that there ever was, the newest first."""
        rows = await self._connection.execute(
            select(
                col(SigningKeyRow.public_key),
                col(SigningKeyRow.sealed_private_key),
                col(SigningKeyRow.created_at),
                col(SigningKeyRow.signs_from),
                col(SigningKeyRow.retired_at),
            ).order_by(
                col(SigningKeyRow.signs_from).desc(),
                col(SigningKeyRow.created_at).desc(),
                col(SigningKeyRow.kid),
            )
        )
        return [
            KeptKey(
                SealedKey(PublicKey.model_validate(row.public_key), row.sealed_private_key),
                row.created_at,
                row.signs_from,
                row.retired_at,
            )
            for row in rows
        ]

    async def retired_since(self, after: datetime) -> frozenset[str]:
        """The keys that were retired later than that."""
        retired = await self._connection.scalars(
            select(col(SigningKeyRow.kid)).where(col(SigningKeyRow.retired_at) > after)
        )
        return frozenset(retired)

    async def add(self, key: KeptKey) -> None:
        await self._connection.execute(
            insert(SigningKeyRow).values(
                kid=key.kid,
                public_key=key.sealed.public.model_dump(),
                sealed_private_key=key.sealed.private,
                created_at=key.created_at,
                signs_from=key.signs_from,
            )
        )

    async def let_sign(self, kid: str, since: datetime) -> None:
        await self._connection.execute(
            update(SigningKeyRow).where(col(SigningKeyRow.kid) == kid).values(signs_from=since)
        )

    async def retire(self, kid: str, now: datetime) -> None:
        """Take the key out of use, and its private part out of the world."""
        await self._connection.execute(
            update(SigningKeyRow)
            .where(col(SigningKeyRow.kid) == kid)
            .values(retired_at=now, sealed_private_key=b"")
        )
