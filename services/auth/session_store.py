"""The queries about sessions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from services.auth.tables import RefreshFamilyRow, RefreshTokenRow, Revocation

# So many sessions go at once when the old ones are dropped: each takes its tokens with it.
PRUNED_AT_ONCE = 500

# For the transaction that it is in.
_BY_INDEX = select(func.set_config("enable_sort", "off", True))

SESSION = (
    col(RefreshFamilyRow.id),
    col(RefreshFamilyRow.user_id),
    col(RefreshFamilyRow.created_at),
    col(RefreshFamilyRow.last_used_at),
    col(RefreshFamilyRow.expires_at),
    col(RefreshFamilyRow.ends_at),
    col(RefreshFamilyRow.address),
    col(RefreshFamilyRow.user_agent),
    col(RefreshFamilyRow.of_staff),
)


@dataclass(frozen=True)
class Session:
    """One login of a user; `expires_at` moves on with each use, as far as `ends_at`."""

    id: str
    user_id: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    ends_at: datetime
    address: str | None
    user_agent: str | None
    of_staff: bool | None = None


class SessionQueries:
    """Sessions in one unit of work."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open(self, session: Session) -> None:
        await self._connection.execute(
            insert(RefreshFamilyRow).values(
                id=session.id,
                user_id=session.user_id,
                created_at=session.created_at,
                last_used_at=session.last_used_at,
                expires_at=session.expires_at,
                ends_at=session.ends_at,
                address=session.address,
                user_agent=session.user_agent,
                of_staff=session.of_staff,
            )
        )

    async def prolong(self, session: Session) -> None:
        """Note that the session was used, and that it lives on."""
        await self._connection.execute(
            update(RefreshFamilyRow)
            .where(col(RefreshFamilyRow.id) == session.id)
            .values(last_used_at=session.last_used_at, expires_at=session.expires_at)
        )

    async def end(self, session_id: str, user_id: str, reason: Revocation, now: datetime) -> bool:
        """End a user's session, which keeps its first reason; False when the user has no such session."""
        known = await self._connection.scalar(
            select(col(RefreshFamilyRow.id)).where(
                col(RefreshFamilyRow.id) == session_id, col(RefreshFamilyRow.user_id) == user_id
            )
        )
        if known is None:
            return False
        await self._connection.execute(
            update(RefreshFamilyRow)
            .where(col(RefreshFamilyRow.id) == session_id, col(RefreshFamilyRow.revoked_at).is_(None))
            .values(revoked_at=now, reason=reason)
        )
        return True

    async def is_open(self, session_id: str, user_id: str, now: datetime) -> bool:
        """Whether a user has this session, and it has not ended."""
        query = select(col(RefreshFamilyRow.id)).where(
            col(RefreshFamilyRow.id) == session_id, *_open(user_id, now)
        )
        return await self._connection.scalar(query) is not None

    async def end_all(
        self, user_id: str, reason: Revocation, now: datetime, *, except_session: str | None = None
    ) -> int:
        """End every open session of a user but, if asked, one; answers how many. Safe to repeat."""
        of_user = update(RefreshFamilyRow).where(*_open(user_id, now))
        if except_session is not None:
            of_user = of_user.where(col(RefreshFamilyRow.id) != except_session)
        ended = await self._connection.execute(of_user.values(revoked_at=now, reason=reason))
        return ended.rowcount

    async def open_of(
        self, user_id: str, now: datetime, limit: int, after: tuple[datetime, str] | None
    ) -> list[Session]:
        """A user's open sessions, the newest first, from a position on."""
        query = (
            select(*SESSION)
            .where(*_open(user_id, now))
            .order_by(col(RefreshFamilyRow.created_at).desc(), col(RefreshFamilyRow.id).desc())
            .limit(limit)
        )
        if after is not None:
            query = query.where(tuple_(col(RefreshFamilyRow.created_at), col(RefreshFamilyRow.id)) < after)
        return [session_of(row) for row in await self._connection.execute(query)]

    async def end_beyond(self, user_id: str, kept: int, reason: Revocation, now: datetime) -> int:
        """End the open sessions of a user that are too many, those unused for longest; answers how many.

        One that somebody is at stays for now: it is in use.
        """
        family = col(RefreshFamilyRow.id)
        too_many = (
            select(family)
            .where(*_open(user_id, now))
            .order_by(col(RefreshFamilyRow.last_used_at).desc(), family.desc())
            .offset(kept)
        )
        free = select(family).where(family.in_(too_many)).with_for_update(skip_locked=True)
        ended = await self._connection.execute(
            update(RefreshFamilyRow).where(family.in_(free)).values(revoked_at=now, reason=reason)
        )
        return ended.rowcount

    async def ended_since(
        self, after: datetime, used_after: datetime, limit: int | None, position: tuple[datetime, str] | None
    ) -> list[tuple[str, datetime]]:
        """The sessions that were ended later than that, and when, from a position on.

        Only those that were used since then, and all of the staff's.
        """
        query = (
            select(col(RefreshFamilyRow.id), col(RefreshFamilyRow.revoked_at))
            .where(
                col(RefreshFamilyRow.revoked_at) > after,
                or_(
                    col(RefreshFamilyRow.last_used_at) > used_after,
                    col(RefreshFamilyRow.of_staff).is_distinct_from(False),
                ),
            )
            .order_by(col(RefreshFamilyRow.revoked_at), col(RefreshFamilyRow.id))
            .limit(limit)
        )
        if position is not None:
            query = query.where(tuple_(col(RefreshFamilyRow.revoked_at), col(RefreshFamilyRow.id)) > position)
        # Just after very many have ended, the planner believes in few, and would sort them all for each page.
        await self._connection.execute(_BY_INDEX)
        return [(row.id, row.revoked_at) for row in await self._connection.execute(query)]

    async def drop_ended(self, before: datetime) -> int:
        """Drop some of the sessions that ended before then, with their tokens; 0 when none are left."""
        over = await self._connection.scalars(
            select(col(RefreshFamilyRow.id))
            .where(or_(col(RefreshFamilyRow.expires_at) < before, col(RefreshFamilyRow.revoked_at) < before))
            .limit(PRUNED_AT_ONCE)
            .with_for_update(skip_locked=True)
        )
        if not (ids := over.all()):
            return 0
        await self._connection.execute(delete(RefreshTokenRow).where(col(RefreshTokenRow.family_id).in_(ids)))
        await self._connection.execute(delete(RefreshFamilyRow).where(col(RefreshFamilyRow.id).in_(ids)))
        return len(ids)


def _open(user_id: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What a session of the user's is that has not ended."""
    return (
        col(RefreshFamilyRow.user_id) == user_id,
        col(RefreshFamilyRow.revoked_at).is_(None),
        col(RefreshFamilyRow.expires_at) > now,
    )


def session_of(row: Row[*tuple[Any, ...]]) -> Session:
    """The session in a row that has the columns of one."""
    return Session(
        id=row.id,
        user_id=row.user_id,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        ends_at=row.ends_at,
        address=row.address,
        user_agent=row.user_agent,
        of_staff=row.of_staff,
    )
