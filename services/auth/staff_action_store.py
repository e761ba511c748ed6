"""The queries about what the staff did, inside auth's unit of work."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.auth import StaffAction
from services.auth.tables import StaffActionRow


@dataclass(frozen=True)
class NotedAction:
    """What somebody of the staff was about to do, and how it ended if that was heard of."""

    id: str
    action: StaffAction
    noted_at: datetime
    status: int | None = None
    ended_at: datetime | None = None


class StaffActionQueries:
    """Everything that is read and written of staff actions: there is no way to change or drop one."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, noted: NotedAction) -> None:
        await self._connection.execute(
            insert(StaffActionRow).values(id=noted.id, noted_at=noted.noted_at, **noted.action.model_dump())
        )

    async def end(self, action_id: str, status: int, now: datetime) -> None:
        """Add how an action ended; the first word stays."""
        await self._connection.execute(
            update(StaffActionRow)
            .where(col(StaffActionRow.id) == action_id, col(StaffActionRow.status).is_(None))
            .values(status=status, ended_at=now)
        )

    async def exists(self, action_id: str) -> bool:
        query = select(col(StaffActionRow.id)).where(col(StaffActionRow.id) == action_id)
        return (await self._connection.execute(query)).first() is not None

    async def page(
        self,
        *,
        actor: str | None,
        since: datetime | None,
        until: datetime | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[NotedAction]:
        """Actions, the newest first, from behind a position in that order; `until` itself is left out."""
        position = (col(StaffActionRow.noted_at), col(StaffActionRow.id))
        query = select(StaffActionRow.__table__).order_by(*(column.desc() for column in position))  # type: ignore[attr-defined]
        if actor is not None:
            query = query.where(col(StaffActionRow.actor) == actor)
        if since is not None:
            query = query.where(col(StaffActionRow.noted_at) >= since)
        if until is not None:
            query = query.where(col(StaffActionRow.noted_at) < until)
        if after is not None:
            query = query.where(tuple_(*position) < tuple_(*after))
        return [_noted(row) for row in await self._connection.execute(query.limit(limit))]


def _noted(row: Row[*tuple[Any, ...]]) -> NotedAction:
    return NotedAction(
        id=row.id,
        action=StaffAction(
            actor=row.actor,
            method=row.method,
            route=row.route,
            path=row.path,
            request_id=row.request_id,
            trace_id=row.trace_id,
            address=row.address,
        ),
        noted_at=row.noted_at,
        status=row.status,
        ended_at=row.ended_at,
    )
