"""Inventory's queries, inside one unit of work."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, String, column, insert, select, update, values
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.events import Event
from runtime import outbox
from runtime.database import Database
from services.inventory.tables import (
    OutboxRow,
    ReservationLineRow,
    ReservationRow,
    ReservationState,
    StockRow,
)

_STOCK = (col(StockRow.sku), col(StockRow.on_hand), col(StockRow.reserved), col(StockRow.sequence))


@dataclass(frozen=True)
class Stock:
    """One sku's stock as it stands after the statement that read it."""

    sku: str
    on_hand: int
    reserved: int
    sequence: int

    @property
    def available(self) -> int:
        return self.on_hand - self.reserved


class InventoryStore:
    """Opens units of work on inventory's own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["InventoryTransaction"]:
        async with self._database.begin() as connection:
            yield InventoryTransaction(connection)

    async def ping(self) -> None:
        await self._database.ping()


class InventoryTransaction:
    """Everything that inventory reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def open_reservation(self, order_id: str, state: ReservationState, now: datetime) -> bool:
        """Claim the order's reservation in this state; False when it exists already."""
        claimed = await self._connection.execute(
            upsert(ReservationRow)
            .values(order_id=order_id, state=state, created_at=now)
            .on_conflict_do_nothing()
        )
        return claimed.rowcount == 1

    async def reservation_state(self, order_id: str) -> str:
        state = await self._connection.scalar(
            select(col(ReservationRow.state)).where(col(ReservationRow.order_id) == order_id)
        )
        return str(state)

    async def hold(self, order_id: str, wanted: dict[str, int]) -> list[Stock]:
        """Hold the units of every sku that has them; fewer rows than skus means that some had not.

        Rows are locked in sku order first, so that two carts in opposite order cannot deadlock; the guard
        against overselling stands in the one UPDATE.
        """
        await self._lock(wanted)
        asked = values(column("sku", String), column("units", Integer), name="asked").data(
            list(wanted.items())
        )
        held = await self._connection.execute(
            update(StockRow)
            .where(
                col(StockRow.sku) == asked.c.sku,
                col(StockRow.on_hand) - col(StockRow.reserved) >= asked.c.units,
            )
            .values(reserved=col(StockRow.reserved) + asked.c.units, sequence=col(StockRow.sequence) + 1)
            .returning(*_STOCK)
        )
        await self._connection.execute(
            insert(ReservationLineRow),
            [{"order_id": order_id, "sku": sku, "quantity": units} for sku, units in wanted.items()],
        )
        return [Stock(*row) for row in held]

    async def release(self, order_id: str, now: datetime) -> list[Stock]:
        """Give back what a held reservation holds; nothing for one that was released before."""
        released = await self._connection.execute(
            update(ReservationRow)
            .where(
                col(ReservationRow.order_id) == order_id, col(ReservationRow.state) == ReservationState.HELD
            )
            .values(state=ReservationState.RELEASED, released_at=now)
        )
        if released.rowcount == 0:
            return []
        lines = select(col(ReservationLineRow.sku)).where(col(ReservationLineRow.order_id) == order_id)
        await self._lock((await self._connection.scalars(lines)).all())
        returned = await self._connection.execute(
            update(StockRow)
            .where(
                col(ReservationLineRow.order_id) == order_id,
                col(ReservationLineRow.sku) == col(StockRow.sku),
            )
            .values(
                reserved=col(StockRow.reserved) - col(ReservationLineRow.quantity),
                sequence=col(StockRow.sequence) + 1,
            )
            .returning(*_STOCK)
        )
        return [Stock(*row) for row in returned]

    async def stock(self, skus: Iterable[str], *, lock: bool = False) -> dict[str, Stock]:
        """The stock of the skus that exist; with `lock`, nobody else changes it before this block ends."""
        query = select(*_STOCK).where(col(StockRow.sku).in_(list(skus))).order_by(col(StockRow.sku))
        rows = await self._connection.execute(query.with_for_update() if lock else query)
        return {row.sku: Stock(*row) for row in rows}

    async def set_on_hand(self, sku: str, on_hand: int) -> Stock:
        """Write a sku's on_hand, creating a new sku; the caller has checked the rule under lock."""
        fresh = upsert(StockRow).values(sku=sku, on_hand=on_hand, reserved=0, sequence=1)
        row = await self._connection.execute(
            fresh.on_conflict_do_update(
                index_elements=[col(StockRow.sku)],
                set_={"on_hand": on_hand, "sequence": col(StockRow.sequence) + 1},
            ).returning(*_STOCK)
        )
        return Stock(*row.one())

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)

    async def _lock(self, skus: Iterable[str]) -> None:
        await self.stock(skus, lock=True)
