"""Fulfilment's queries, inside one unit of work."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.events import Event
from contracts.fulfilment import ShipmentState
from contracts.inventory import StockLine
from runtime import inbox, outbox
from runtime.database import Database
from runtime.reactions import Heard
from services.fulfilment import statements
from services.fulfilment.shipment import Shipment
from services.fulfilment.statements import SHIPMENTS
from services.fulfilment.tables import InboxRow, OutboxRow


class FulfilmentStore:
    """Opens units of work on fulfilment's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["FulfilmentTransaction"]:
        async with self._database.begin() as connection:
            yield FulfilmentTransaction(connection)

    async def ping(self) -> None:
        await self._database.ping()


class FulfilmentTransaction:
    """Everything that fulfilment reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def first_time(self, heard: Heard[Any], now: datetime) -> bool:
        """Note that the event was reacted to; False when it was before."""
        return await inbox.first_time(self._connection, InboxRow, heard, now)

    async def add(self, shipment: Shipment) -> bool:
        """Write a new shipment; False when its order has one already."""
        added = await self._connection.execute(
            statements.ADD,
            {
                "order_id": shipment.order_id,
                "state": shipment.state,
                "lines": [line.model_dump(mode="json") for line in shipment.lines],
                "reminders": shipment.reminders,
                "sequence": shipment.sequence,
                "seen": shipment.seen,
                "traceparent": shipment.traceparent,
                "created_at": shipment.created_at,
                "updated_at": shipment.updated_at,
                "attended_at": shipment.created_at,
            },
        )
        return added.rowcount == 1

    async def find(self, order_id: str, *, lock: bool = False) -> Shipment | None:
        """The order's shipment; with `lock`, nobody else changes it before this block ends."""
        query = statements.FIND_LOCKED if lock else statements.FIND
        row = (await self._connection.execute(query, {"order_id": order_id})).mappings().one_or_none()
        return _shipment(row) if row is not None else None

    async def change(self, shipment: Shipment) -> None:
        """Write what the shipment has become, under the lock that the caller holds."""
        await self._connection.execute(
            statements.CHANGE,
            {
                "of_order": shipment.order_id,
                "to_state": shipment.state,
                "by_carrier": shipment.carrier,
                "with_tracking": shipment.tracking,
                "for_reason": shipment.reason,
                "after_reminders": shipment.reminders,
                "at_sequence": shipment.sequence,
                "now": shipment.updated_at,
            },
        )

    async def look(self, order_id: str, now: datetime) -> Shipment | None:
        """The shipment as its workflow sees it now, which is noted."""
        row = (await self._connection.execute(statements.LOOK, {"of_order": order_id, "now": now})).mappings()
        found = row.one_or_none()
        return _shipment(found) if found is not None else None

    async def page(
        self, *, state: ShipmentState | None, after: tuple[datetime, str] | None, limit: int
    ) -> list[Shipment]:
        """Shipments, newest first, from behind a position in that order."""
        query = (
            select(SHIPMENTS)
            .order_by(SHIPMENTS.c.created_at.desc(), SHIPMENTS.c.order_id.desc())
            .limit(limit)
        )
        if state is not None:
            query = query.where(SHIPMENTS.c.state == state.value)
        if after is not None:
            query = query.where(tuple_(SHIPMENTS.c.created_at, SHIPMENTS.c.order_id) < tuple_(*after))
        return [_shipment(row) for row in (await self._connection.execute(query)).mappings()]

    async def unattended(
        self, *, hurried_before: datetime, patrolled_before: datetime, limit: int
    ) -> list[Shipment]:
        """Unfinished shipments that nobody has seen to for too long, the longest first."""
        rows = await self._connection.execute(
            statements.UNATTENDED,
            {"hurried_before": hurried_before, "patrolled_before": patrolled_before, "at_most": limit},
        )
        return [_shipment(row) for row in rows.mappings()]

    async def attended(self, order_ids: Sequence[str], now: datetime) -> None:
        """Somebody has just seen to these."""
        await self._connection.execute(statements.ATTENDED, {"of_orders": order_ids, "now": now})

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)


def _shipment(row: RowMapping) -> Shipment:
    return Shipment(
        order_id=row["order_id"],
        state=ShipmentState(row["state"]),
        lines=tuple(StockLine.model_validate(line) for line in row["lines"]),
        carrier=row["carrier"],
        tracking=row["tracking"],
        reason=row["reason"],
        reminders=row["reminders"],
        sequence=row["sequence"],
        seen=row["seen"],
        traceparent=row["traceparent"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
