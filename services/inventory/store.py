"""Inventory's queries, inside one unit of work."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Executable, Update, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlmodel import col

from contracts.events import Event
from runtime import outbox
from runtime.database import Database
from services.inventory import statements
from services.inventory.tables import OutboxRow, ReservationRow, ReservationState, StockRow


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
            statements.CLAIM_RESERVATION, {"order_id": order_id, "state": state, "created_at": now}
        )
        return claimed.rowcount == 1

    async def reservation_state(self, order_id: str) -> ReservationState | None:
        state = await self._connection.scalar(
            select(col(ReservationRow.state)).where(col(ReservationRow.order_id) == order_id)
        )
        return ReservationState(state) if state is not None else None

    async def hold(self, order_id: str, wanted: dict[str, int]) -> list[Stock]:
        """Hold the units of every sku that has them; fewer rows than skus means that some had not.

        The caller has locked the rows, so that two carts in opposite order cannot deadlock; the guard
        against overselling stands in the one UPDATE.
        """
        held = await self._connection.execute(
            statements.HOLD, {"skus": list(wanted), "units": list(wanted.values())}
        )
        await self._connection.execute(
            statements.ADD_LINES,
            [{"order_id": order_id, "sku": sku, "quantity": units} for sku, units in wanted.items()],
        )
        return [Stock(*row) for row in held]

    async def release(self, order_id: str, now: datetime) -> list[Stock]:
        """Give back what a held reservation holds; nothing for one that is not held."""
        return await self._close(statements.RELEASE_RESERVATION, statements.GIVE_BACK, order_id, now)

    async def take(self, order_id: str, now: datetime) -> list[Stock]:
        """Take what a held reservation holds from the stock; nothing for one that is not held."""
        return await self._close(statements.TAKE_RESERVATION, statements.TAKE, order_id, now)

    async def stock(self, skus: Iterable[str], *, lock: bool = False) -> dict[str, Stock]:
        """The stock of the skus that exist; with `lock`, nobody else changes it before this block ends.

        Rows are locked in sku order, whatever the order asked for.
        """
        query = statements.STOCK_LOCKED if lock else statements.STOCK
        rows = await self._connection.execute(query, {"skus": list(skus)})
        return {row.sku: Stock(*row) for row in rows}

    async def known(self, sku: str) -> Stock:
        """A sku's stock, locked; a new one is made, with nothing on hand.

        Where another transaction is making it, this waits: a row that is not there yet cannot be locked.
        """
        await self._connection.execute(
            upsert(StockRow).values(sku=sku, on_hand=0, reserved=0, sequence=0).on_conflict_do_nothing()
        )
        return (await self.stock([sku], lock=True))[sku]

    async def set_on_hand(self, sku: str, on_hand: int) -> Stock:
        """Write a sku's on_hand; the caller has checked the rule under lock."""
        row = await self._connection.execute(
            update(StockRow)
            .where(col(StockRow.sku) == sku)
            .values(on_hand=on_hand, sequence=col(StockRow.sequence) + 1)
            .returning(*statements.STOCK_COLUMNS)
        )
        return Stock(*row.one())

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)

    async def _close(self, close: Update, move: Executable, order_id: str, now: datetime) -> list[Stock]:
        """The order holds nothing any more: its reservation first, then the stock, locked in sku order."""
        closed = await self._connection.execute(close, {"of_order": order_id, "now": now})
        if closed.rowcount == 0:
            return []
        held = await self._connection.scalars(statements.SKUS_HELD, {"order_id": order_id})
        await self.stock(held, lock=True)
        moved = await self._connection.execute(move, {"of_order": order_id})
        return [Stock(*row) for row in moved]
