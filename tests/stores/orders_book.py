"""Orders over a database of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from contracts.checkout import (
    BeginUndo,
    CallOperator,
    CloseCheckout,
    ConfirmOrder,
    EndUndone,
    Step,
    UndoVerdict,
)
from contracts.errors import Kind, Refusal
from contracts.events import Event
from contracts.orders import ORDER_PLACED
from runtime.clock import Clock
from runtime.database import Database
from services.orders.order import KeyRecord, Order
from services.orders.service import OrdersService
from services.orders.store import OrdersStore
from tests.conftest import FreshDatabase
from tests.orders_samples import NOON, new_order
from tests.stores.outbox import events_about

DECLINED = Refusal(code="payments.declined", kind=Kind.PAYMENT_REQUIRED, detail="The card was declined.")


@dataclass(frozen=True)
class Book:
    url: str
    database: Database
    store: OrdersStore
    orders: OrdersService

    async def add(self, order: Order) -> bool:
        """Take the order in; False when its cart makes another one just now."""
        async with self.store.begin() as tx:
            added = await tx.add(order, order.created_at)
            if added:
                await tx.emit([order.event(ORDER_PLACED, order.created_at)])
            return added

    async def placed(self, **changes: Any) -> str:
        """The id of a new pending order."""
        order = new_order(**changes)
        assert await self.add(order)
        return order.id

    async def confirm(self, order_id: str) -> None:
        await self.orders.confirm(ConfirmOrder(order_id=order_id))

    async def begin_undo(self, order_id: str, refusal: Refusal = DECLINED) -> UndoVerdict:
        return await self.orders.begin_undo(BeginUndo(order_id=order_id, refusal=refusal))

    async def end_undone(self, order_id: str, steps: Sequence[Step] = ()) -> None:
        await self.orders.end_undone(EndUndone(order_id=order_id, steps=tuple(steps)))

    async def undone(self, order_id: str, refusal: Refusal = DECLINED) -> None:
        """Begin the order's undo and end it."""
        await self.begin_undo(order_id, refusal)
        await self.end_undone(order_id)

    async def close(self, order_id: str, steps: Sequence[Step] = ()) -> None:
        await self.orders.close(CloseCheckout(order_id=order_id, steps=tuple(steps)))

    async def call_operator(self, order_id: str, detail: str) -> None:
        await self.orders.call_operator(CallOperator(order_id=order_id, detail=detail))

    async def claim(self, record: KeyRecord) -> bool:
        async with self.store.begin() as tx:
            return await tx.claim_key(record, NOON)

    async def key(self, record: KeyRecord) -> KeyRecord | None:
        async with self.store.begin() as tx:
            return await tx.key(record.principal, record.key)

    async def events(self, order_id: str) -> list[Event]:
        return await events_about(self.database, order_id)


@asynccontextmanager
async def open_book(fresh_database: FreshDatabase, clock: Clock = lambda: NOON) -> AsyncIterator[Book]:
    url = await fresh_database("orders")
    database = Database(url, pool_size=10)
    store = OrdersStore(database)
    try:
        yield Book(url, database, store, OrdersService(store, clock))
    finally:
        await database.dispose()
