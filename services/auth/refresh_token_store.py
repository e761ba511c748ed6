"""The queries about the refresh tokens of sessions."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from services.auth.session_store import SESSION, Session, session_of
from services.auth.tables import RefreshFamilyRow, RefreshTokenRow


@dataclass(frozen=True)
class PresentedToken:
    """A refresh token that we issued once, with its session; nobody else spends it before this block ends."""

    session: Session
    ended: bool
    used_at: datetime | None
    answer: bytes | None = field(repr=False)


class RefreshTokenQueries:
    """Refresh tokens in one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, token_hash: bytes, session: Session, now: datetime) -> None:
        await self._connection.execute(
            insert(RefreshTokenRow).values(hash=token_hash, family_id=session.id, created_at=now)
        )

    async def presented(self, token_hash: bytes) -> PresentedToken | None:
        """A token as it is now; of any number that present it at once, each waits for the one before."""
        query = (
            select(
                *SESSION,
                col(RefreshFamilyRow.revoked_at),
                col(RefreshTokenRow.used_at),
                col(RefreshTokenRow.answer),
            )
            .join(RefreshFamilyRow, col(RefreshFamilyRow.id) == col(RefreshTokenRow.family_id))
            .where(col(RefreshTokenRow.hash) == token_hash)
            .with_for_update(of=RefreshTokenRow)
        )
        row = (await self._connection.execute(query)).first()
        if row is None:
            return None
        return PresentedToken(session_of(row), row.revoked_at is not None, row.used_at, row.answer)

    async def spend(self, token_hash: bytes, answer: bytes, now: datetime) -> None:
        """Note that the token was used, and what it was answered with."""
        await self._connection.execute(
            update(RefreshTokenRow)
            .where(col(RefreshTokenRow.hash) == token_hash)
            .values(used_at=now, answer=answer)
        )

    async def wipe_answers(self, used_before: datetime) -> int:
        """Drop the answers of tokens that were spent before then; one that somebody is at stays for now."""
        answered = _free(col(RefreshTokenRow.answer).is_not(None), col(RefreshTokenRow.used_at) < used_before)
        wiped = await self._connection.execute(
            update(RefreshTokenRow).where(col(RefreshTokenRow.hash).in_(answered)).values(answer=None)
        )
        return wiped.rowcount

    async def drop_spent(self, used_before: datetime) -> int:
        """Drop the tokens that were spent before then; one that somebody is at stays for now."""
        spent = _free(col(RefreshTokenRow.used_at) < used_before)
        dropped = await self._connection.execute(
            delete(RefreshTokenRow).where(col(RefreshTokenRow.hash).in_(spent))
        )
        return dropped.rowcount


def _free(*conditions: ColumnElement[bool]) -> Select[bytes]:
    """The tokens that nobody is at: who locks many, in any order, must wait for none."""
    return select(col(RefreshTokenRow.hash)).where(*conditions).with_for_update(skip_locked=True)
