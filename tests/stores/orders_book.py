"""Orders over a database of its own."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

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
from contracts.events import Event, Facts
from contracts.fulfilment import ShipmentState
from contracts.orders import ORDER_PLACED, FinishCancellation, RefuseCancellation, SettleRefund
from contracts.payments import PAYMENT_CAPTURED
from runtime.clock import Clock
from runtime.database import Database
from runtime.reactions import Heard
from services.orders.changes import OrderChanges
from services.orders.heard import PaymentFacts, ShipmentFacts
from services.orders.order import KeyRecord, Order
from services.orders.reactions import OrderReactions
from services.orders.refund import Refund, RefundRequest
from services.orders.service import OrdersService
from services.orders.store import OrdersStore
from tests.conftest import FreshDatabase
from tests.orders_samples import NOON, euros, new_order
from tests.stores.outbox import events_about

F = TypeVar("F", bound=Facts)

DECLINED = Refusal(code="payments.declined", kind=Kind.PAYMENT_REQUIRED, detail="The card was declined.")


@dataclass(frozen=True)
class Book:
    url: str
    database: Database
    store: OrdersStore
    orders: OrdersService
    changes: OrderChanges
    reactions: OrderReactions

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

    async def confirmed(self, **changes: Any) -> str:
        """The id of a new confirmed order."""
        order_id = await self.placed(**changes)
        await self.confirm(order_id)
        return order_id

    async def hear_shipment(
        self, order_id: str, state: ShipmentState, sequence: int, *, event_id: UUID | None = None
    ) -> None:
        facts = ShipmentFacts(order_id=order_id, state=state)
        await self.reactions.follow_shipment(
            _heard("orders.follow_shipment", f"fulfilment.{state}", facts, order_id, sequence, event_id)
        )

    async def hear_payment(
        self,
        order_id: str,
        fact: str,
        sequence: int,
        *,
        captured: int = 0,
        refunded: int = 0,
        event_id: UUID | None = None,
    ) -> None:
        facts = PaymentFacts(order_id=order_id, captured=captured, refunded=refunded)
        await self.reactions.follow_payment(
            _heard("orders.follow_payment", fact, facts, order_id, sequence, event_id)
        )

    async def paid(self, captured: int = 1000) -> str:
        """The id of a new confirmed order whose money was taken."""
        order_id = await self.confirmed()
        await self.hear_payment(order_id, PAYMENT_CAPTURED, 1, captured=captured)
        return order_id

    async def refund(
        self, order_id: str, amount: int | None = None, *, key: str | None = None, reason: str = "broken"
    ) -> Refund:
        asked = euros(amount) if amount is not None else None
        return await self.changes.request_refund(
            RefundRequest(order_id=order_id, reason=reason, requested_by="staff-1", amount=asked, key=key)
        )

    async def settle(self, refund: Refund, refusal: Refusal | None = None) -> None:
        await self.changes.settle_refund(
            SettleRefund(order_id=refund.order_id, refund_id=refund.id, refusal=refusal)
        )

    async def finish_cancellation(self, order_id: str) -> None:
        await self.changes.finish_cancellation(FinishCancellation(order_id=order_id))

    async def refuse_cancellation(self, order_id: str, refusal: Refusal, *, attempt: int = 1) -> None:
        await self.changes.refuse_cancellation(
            RefuseCancellation(order_id=order_id, refusal=refusal, attempt=attempt)
        )

    async def cancelled(self) -> str:
        """The id of an order that was confirmed, then cancelled."""
        order_id = await self.confirmed()
        await self.changes.request_cancellation(order_id)
        await self.finish_cancellation(order_id)
        return order_id

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

    async def told(self, order_id: str) -> list[str]:
        return [event.type for event in await self.events(order_id)]


def _heard(
    handler: str, event_type: str, facts: F, subject: str, sequence: int, event_id: UUID | None
) -> Heard[F]:
    return Heard(
        handler=handler,
        event_id=event_id or uuid4(),
        type=event_type,
        subject=subject,
        sequence=sequence,
        time=NOON,
        traceparent=None,
        facts=facts,
    )


@asynccontextmanager
async def open_book(fresh_database: FreshDatabase, clock: Clock = lambda: NOON) -> AsyncIterator[Book]:
    url = await fresh_database("orders")
    database = Database(url, pool_size=10)
    store = OrdersStore(database)
    try:
        yield Book(
            url,
            database,
            store,
            OrdersService(store, clock),
            OrderChanges(store, clock),
            OrderReactions(store, clock),
        )
    finally:
        await database.dispose()
