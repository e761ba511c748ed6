"""The transactional outbox: an event is a row in the transaction of the change that it tells of."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Identity, Insert, SmallInteger, insert, inspect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import Field, SQLModel

from contracts.events import Event
from runtime.shards import shard_of
from runtime.trace import current_traceparent


class OutboxColumns(SQLModel):
    """The columns of every service's `outbox` table; `position` is the order of insertion."""

    id: UUID = Field(primary_key=True)
    position: int | None = Field(
        default=None, sa_type=BigInteger, sa_column_args=(Identity(always=True),), unique=True
    )
    type: str
    source: str
    subject: str = Field(index=True)
    sequence: int = Field(sa_type=BigInteger)
    time: datetime = Field(sa_type=DateTime(timezone=True))
    data: dict[str, JsonValue] = Field(sa_type=JSONB)
    traceparent: str | None = None
    shard: int = Field(default=0, sa_type=SmallInteger)
    published_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


async def append(connection: AsyncConnection, table: type[OutboxColumns], events: Sequence[Event]) -> None:
    """Write the events in the caller's transaction; none is written unless all of it commits."""
    if not events:
        return
    traceparent = current_traceparent()
    rows: list[dict[str, Any]] = [
        event.model_dump(exclude={"specversion", "datacontenttype"})
        | {"traceparent": event.traceparent or traceparent, "shard": shard_of(event.subject)}
        for event in events
    ]
    await connection.execute(_insert_into(table), rows)


@cache
def _insert_into(table: type[OutboxColumns]) -> Insert:
    """Built once for each service: making a statement anew costs more than running it."""
    return insert(inspect(table).local_table)
