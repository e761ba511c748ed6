"""Notifications' queries, inside one unit of work."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import Event
from contracts.notifications import NotificationState
from runtime import inbox, outbox
from runtime.database import Database
from runtime.reactions import Heard
from services.notifications.notification import Contact, Notification
from services.notifications.rules import Template
from services.notifications.tables import InboxRow, NotificationsTable, OutboxRow

_NOTIFICATIONS = NotificationsTable.metadata.tables["notifications"]
_CONTACTS = NotificationsTable.metadata.tables["contacts"]


class NotificationsStore:
    """Opens units of work on notifications' own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["NotificationsTransaction"]:
        async with self._database.begin() as connection:
            yield NotificationsTransaction(connection)

    async def ping(self) -> None:
        await self._database.ping()


class NotificationsTransaction:
    """Everything that notifications reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def first_time(self, heard: Heard[Any], now: datetime) -> bool:
        """Note that the event was reacted to; False when it was before."""
        return await inbox.first_time(self._connection, InboxRow, heard, now)

    async def add(self, notification: Notification) -> None:
        """Write an intent down, unless it stands there."""
        await self._connection.execute(
            upsert(_NOTIFICATIONS)
            .values(
                id=notification.id,
                template=notification.template.value,
                order_id=notification.order_id,
                user_id=notification.user_id,
                facts=notification.facts,
                state=notification.state.value,
                message_id=notification.message_id,
                attempts=notification.attempts,
                traceparent=notification.traceparent,
                created_at=notification.created_at,
            )
            .on_conflict_do_nothing()
        )

    async def remember(self, contact: Contact) -> None:
        """Write down how to reach somebody, in the place of what was known before."""
        known = {"email": contact.email}
        await self._connection.execute(
            upsert(_CONTACTS)
            .values(user_id=contact.user_id, **known)
            .on_conflict_do_update(index_elements=[_CONTACTS.c.user_id], set_=known)
        )

    async def contact_of(self, user_id: str) -> Contact | None:
        found = await self._connection.execute(select(_CONTACTS).where(_CONTACTS.c.user_id == user_id))
        row = found.one_or_none()
        return Contact(*row) if row is not None else None

    async def claim(self, *, now: datetime, until: datetime, limit: int) -> list[Notification]:
        """Pending ones that are nobody's at this moment, the oldest first, now the caller's for a while."""
        free = (
            select(_NOTIFICATIONS.c.id)
            .where(
                _NOTIFICATIONS.c.state == NotificationState.PENDING.value,
                _NOTIFICATIONS.c.claimed_until.is_(None) | (_NOTIFICATIONS.c.claimed_until <= now),
            )
            .order_by(_NOTIFICATIONS.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("free")
        )
        claimed = await self._connection.execute(
            update(_NOTIFICATIONS)
            .where(_NOTIFICATIONS.c.id.in_(select(free.c.id)))
            .values(claimed_until=until)
            .returning(*_NOTIFICATIONS.c)
        )
        return sorted(map(_notification, claimed.mappings()), key=lambda one: one.created_at)

    async def find(self, notification_id: str) -> Notification | None:
        found = await self._connection.execute(
            select(_NOTIFICATIONS).where(_NOTIFICATIONS.c.id == notification_id)
        )
        row = found.mappings().one_or_none()
        return _notification(row) if row is not None else None

    async def note_failure(self, notification_id: str, error: str) -> None:
        """One more attempt that came to nothing, and why."""
        await self._connection.execute(
            update(_NOTIFICATIONS)
            .where(
                _NOTIFICATIONS.c.id == notification_id,
                _NOTIFICATIONS.c.state == NotificationState.PENDING.value,
            )
            .values(attempts=_NOTIFICATIONS.c.attempts + 1, last_error=error)
        )

    async def hand_over(self, notification_id: str, *, now: datetime, until: datetime) -> None:
        """A workflow has it; looked at again after `until`, should it be pending then."""
        await self._connection.execute(
            update(_NOTIFICATIONS)
            .where(
                _NOTIFICATIONS.c.id == notification_id,
                _NOTIFICATIONS.c.state == NotificationState.PENDING.value,
            )
            .values(handed_over_at=now, claimed_until=until)
        )

    async def end(
        self, notification_id: str, state: NotificationState, error: str | None, now: datetime
    ) -> bool:
        """Give a pending one its end; False when it has one."""
        ended = await self._connection.execute(
            update(_NOTIFICATIONS)
            .where(
                _NOTIFICATIONS.c.id == notification_id,
                _NOTIFICATIONS.c.state == NotificationState.PENDING.value,
            )
            .values(
                state=state.value,
                attempts=_NOTIFICATIONS.c.attempts + 1,
                last_error=error,
                claimed_until=None,
                sent_at=now if state is NotificationState.SENT else None,
            )
        )
        return ended.rowcount == 1

    async def page(
        self,
        *,
        state: NotificationState | None,
        order_id: str | None,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[Notification]:
        """Notifications, newest first, from behind a position in that order."""
        position = (_NOTIFICATIONS.c.created_at, _NOTIFICATIONS.c.id)
        query = select(_NOTIFICATIONS).order_by(*(column.desc() for column in position)).limit(limit)
        if state is not None:
            query = query.where(_NOTIFICATIONS.c.state == state.value)
        if order_id is not None:
            query = query.where(_NOTIFICATIONS.c.order_id == order_id)
        if after is not None:
            query = query.where(tuple_(*position) < tuple_(*after))
        return [_notification(row) for row in (await self._connection.execute(query)).mappings()]

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _notification(row: Mapping[Any, Any]) -> Notification:
    return Notification(
        id=row["id"],
        template=Template(row["template"]),
        order_id=row["order_id"],
        user_id=row["user_id"],
        facts=row["facts"],
        message_id=row["message_id"],
        created_at=row["created_at"],
        state=NotificationState(row["state"]),
        attempts=row["attempts"],
        last_error=row["last_error"],
        handed_over=row["handed_over_at"] is not None,
        traceparent=row["traceparent"],
        sent_at=row["sent_at"],
    )
