"""Queries about the accounts that OpenID providers vouch for."""

import hashlib
from datetime import datetime

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from services.auth.tables import LinkedIdentityRow


class IdentityQueries:
    """Whose account a provider's user opens."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lock(self, issuer: str, subject: str) -> None:
        """Let nobody else link this user of the provider before this block ends."""
        digest = hashlib.sha256(f"{issuer}\n{subject}".encode()).digest()
        key = int.from_bytes(digest[:8], signed=True)
        await self._connection.execute(select(func.pg_advisory_xact_lock(key)))

    async def user_id(self, issuer: str, subject: str) -> str | None:
        """The account that was linked, by its id."""
        query = select(col(LinkedIdentityRow.user_id)).where(
            col(LinkedIdentityRow.issuer) == issuer, col(LinkedIdentityRow.subject) == subject
        )
        found: str | None = (await self._connection.execute(query)).scalar_one_or_none()
        return found

    async def link(self, issuer: str, subject: str, user_id: str, now: datetime) -> None:
        await self._connection.execute(
            insert(LinkedIdentityRow).values(issuer=issuer, subject=subject, user_id=user_id, created_at=now)
        )
