"""The inbox: that an event was reacted to is a row in the transaction of what it led to."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Identity, Insert, inspect, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import Field, SQLModel

from runtime.database import Database
from runtime.reactions import Heard

# Longer than an outbox keeps what it has published: whatever is told again is known here.
KEPT = timedelta(days=30)
_FORGOTTEN_AT_ONCE = 5_000
_FORGET = text(
    "DELETE FROM inbox WHERE (handler, event_id) IN"
    " (SELECT handler, event_id FROM inbox WHERE handled_at < :before ORDER BY handled_at LIMIT :limit)"
)


class InboxColumns(SQLModel):
    """The columns of a service's `inbox` table: which handler has reacted to which event."""

    handler: str = Field(primary_key=True, max_length=64)
    event_id: UUID = Field(primary_key=True)
    handled_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)


class ParkedColumns(SQLModel):
    """The columns of a service's `parked` table: what waits to be reacted to again (runtime/parking.py)."""

    position: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger, sa_column_args=(Identity(always=True),)
    )
    handler: str = Field(max_length=64)
    subject: str
    event_id: str
    event_type: str
    body: str
    reason: str
    parked_at: datetime = Field(sa_type=DateTime(timezone=True))


async def first_time(
    connection: AsyncConnection, table: type[InboxColumns], heard: Heard[Any], now: datetime
) -> bool:
    """Note in the caller's transaction that the event was reacted to; False when it was before.

    Of two that try at once, the second waits until the first has committed.
    """
    noted = await connection.execute(
        _note_in(table), {"handler": heard.handler, "event_id": heard.event_id, "handled_at": now}
    )
    return noted.rowcount == 1


async def forget_old(database: Database, now: datetime) -> int:
    """Drop what is so old that no outbox can tell it again; answers how much."""
    dropped, last = 0, _FORGOTTEN_AT_ONCE
    while last == _FORGOTTEN_AT_ONCE:
        async with database.begin() as connection:
            old = {"before": now - KEPT, "limit": _FORGOTTEN_AT_ONCE}
            last = (await connection.execute(_FORGET, old)).rowcount
        dropped += last
    return dropped


@cache
def _note_in(table: type[InboxColumns]) -> Insert:
    return upsert(inspect(table).local_table).on_conflict_do_nothing()
