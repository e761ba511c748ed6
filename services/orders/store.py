"""Orders' queries, inside one unit of work."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from contracts.checkout import Step
from contracts.events import Event
from contracts.orders import CancellationState, OrderState
from runtime import inbox, outbox
from runtime.database import Database
from runtime.reactions import Heard
from services.orders import statements
from services.orders.errors import OrderNotFound
from services.orders.order import KeyRecord, Order
from services.orders.refund_book import RefundBook
from services.orders.rows import key_in, order_in, steps_in
from services.orders.statements import ORDERS
from services.orders.tables import InboxRow, OutboxRow

PLACE_ROUTE = "POST /v1/checkouts"


class OrdersStore:
    """Opens units of work on orders' own database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["OrdersTransaction"]:
        async with self._database.begin() as connection:
            yield OrdersTransaction(connection)

    async def ping(self) -> None:
        await self._database.ping()


class OrdersTransaction:
    """Everything that orders reads and writes; commits when its block ends."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.refunds = RefundBook(connection)

    async def key(self, principal: str, key: str) -> KeyRecord | None:
        """What the key stands for, if it was used."""
        found = await self._connection.execute(
            statements.KEY, {"principal": principal, "route": PLACE_ROUTE, "key": key}
        )
        row = found.mappings().one_or_none()
        return key_in(row) if row is not None else None

    async def claim_key(self, record: KeyRecord, now: datetime) -> bool:
        """Write the key down with its order; False when somebody was first."""
        claimed = await self._connection.execute(
            statements.CLAIM_KEY,
            {
                "principal": record.principal,
                "route": PLACE_ROUTE,
                "key": record.key,
                "fingerprint": record.fingerprint,
                "order_id": record.order_id,
                "created_at": now,
            },
        )
        return claimed.rowcount == 1

    async def answer_key(self, principal: str, key: str, status: int, body: bytes) -> KeyRecord:
        """Store the key's final answer unless it has one; answers the one that stands."""
        answered = await self._connection.execute(
            statements.FIRST_ANSWER,
            {
                "of_principal": principal,
                "of_route": PLACE_ROUTE,
                "of_key": key,
                "first_status": status,
                "first_body": body,
            },
        )
        return key_in(answered.mappings().one())

    async def add(self, order: Order, now: datetime) -> bool:
        """Write a new order with its lines; False when its cart makes another order just now."""
        added = await self._connection.execute(
            statements.ADD_ORDER,
            {
                "id": order.id,
                "customer_id": order.customer_id,
                "cart_ref": order.cart_ref,
                "generation": order.generation,
                "email": order.email,
                "shipping_address": order.shipping_address.model_dump(mode="json"),
                "total": order.total.amount,
                "currency": order.total.currency,
                "payment_token": order.payment_token,
                "state": order.state,
                "steps": [],
                "payment_state": order.payment_state,
                "fulfilment_state": order.fulfilment_state,
                "sequence": order.sequence,
                "traceparent": order.traceparent,
                "created_at": now,
                "updated_at": now,
            },
        )
        if added.rowcount == 0:
            return False
        await self._connection.execute(
            statements.ADD_LINES,
            [
                {
                    "order_id": order.id,
                    "position": position,
                    "sku": line.sku,
                    "title": line.title,
                    "quantity": line.quantity,
                    "unit_price": line.unit_price.amount,
                }
                for position, line in enumerate(order.lines)
            ],
        )
        return True

    async def bought(self, cart_ref: str, generation: int) -> bool:
        """Whether this cart has made an order in this generation whose checkout has gone well."""
        state = await self._connection.scalar(
            statements.ORDER_OF_CART, {"cart_ref": cart_ref, "generation": generation}
        )
        return state is not None and state not in (OrderState.PENDING, OrderState.CANCELLING)

    async def find(self, order_id: str, *, lock: bool = False) -> Order | None:
        """The order, whole; with `lock`, nobody else changes it before this block ends."""
        found = await self._whole(statements.ORDER_LOCKED if lock else statements.ORDER, {"id": order_id})
        return found[0] if found else None

    async def known(self, order_id: str, *, lock: bool = False) -> Order:
        """The same, refused where there is none."""
        order = await self.find(order_id, lock=lock)
        if order is None:
            raise OrderNotFound("there is no such order")
        return order

    async def stored_steps(self, order_id: str) -> tuple[tuple[Step, ...], bool] | None:
        """How the order's checkout went as far as was stored, and whether it is over; under lock."""
        found = await self._connection.execute(statements.STEPS_LOCKED, {"id": order_id})
        row = found.one_or_none()
        return (steps_in(row.steps), row.ended_at is not None) if row is not None else None

    async def move(self, order: Order, now: datetime) -> None:
        """Write the order as it has become, under the lock that the caller holds."""
        await self._connection.execute(
            statements.MOVE,
            {
                "of_order": order.id,
                "to_state": order.state,
                "at_sequence": order.sequence,
                "for_refusal": order.refusal.model_dump(mode="json") if order.refusal else None,
                "with_payment": order.payment_state,
                "payment_at": order.payment_sequence,
                "so_much_captured": order.captured,
                "so_much_refunded": order.refunded,
                "to_act_at": order.action_url,
                "with_fulfilment": order.fulfilment_state,
                "fulfilment_at": order.fulfilment_sequence,
                "with_cancellation": order.cancellation_state,
                "cancellation_refused_for": order.cancellation_reason,
                "at_attempt": order.cancellation_attempt,
                "with_note": order.operator_note,
                "now": now,
            },
        )

    async def end(self, order_id: str, steps: Iterable[Step], now: datetime) -> None:
        """The order's checkout is over: store how it went."""
        dumped = [step.model_dump(mode="json") for step in steps]
        await self._connection.execute(
            statements.END, {"of_order": order_id, "with_steps": dumped, "now": now}
        )

    async def note_for_operator(self, order_id: str, note: str, now: datetime) -> None:
        await self._connection.execute(statements.NOTE, {"of_order": order_id, "note": note, "now": now})

    async def unfinished(
        self, before: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> list[Order]:
        """Orders placed before a moment whose checkout has no end yet, oldest first."""
        return await self._oldest_first(
            after, limit, ORDERS.c.ended_at.is_(None), ORDERS.c.created_at < before
        )

    async def to_cancel(
        self, before: datetime, after: tuple[datetime, str] | None, limit: int
    ) -> list[Order]:
        """Orders whose cancellation was requested before a moment and is not decided, oldest order first."""
        requested = ORDERS.c.cancellation_state == CancellationState.REQUESTED.value
        return await self._oldest_first(after, limit, requested, ORDERS.c.updated_at < before)

    async def page(
        self,
        *,
        customer_id: str | None,
        states: Sequence[OrderState],
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> list[Order]:
        """Orders, newest first, from behind a position in that order."""
        query = select(ORDERS).order_by(ORDERS.c.created_at.desc(), ORDERS.c.id.desc()).limit(limit)
        if customer_id is not None:
            query = query.where(ORDERS.c.customer_id == customer_id)
        if states:
            query = query.where(ORDERS.c.state.in_([state.value for state in states]))
        if after is not None:
            query = query.where(tuple_(ORDERS.c.created_at, ORDERS.c.id) < tuple_(*after))
        return await self._whole(query)

    async def first_time(self, heard: Heard[Any], now: datetime) -> bool:
        """Note that the event was reacted to; False when it was before."""
        return await inbox.first_time(self._connection, InboxRow, heard, now)

    async def emit(self, events: Sequence[Event]) -> None:
        await outbox.append(self._connection, OutboxRow, events)

    async def _oldest_first(
        self, after: tuple[datetime, str] | None, limit: int, *which: ColumnElement[bool]
    ) -> list[Order]:
        query = select(ORDERS).where(*which).order_by(ORDERS.c.created_at, ORDERS.c.id).limit(limit)
        if after is not None:
            query = query.where(tuple_(ORDERS.c.created_at, ORDERS.c.id) > tuple_(*after))
        return await self._whole(query)

    async def _whole(self, query: Select[Any], values: dict[str, Any] | None = None) -> list[Order]:
        rows = (await self._connection.execute(query, values)).mappings().all()
        if not rows:
            return []
        lines = await self._connection.execute(statements.LINES_OF, {"ids": [row["id"] for row in rows]})
        by_order: dict[str, list[RowMapping]] = {}
        for line in lines.mappings():
            by_order.setdefault(line["order_id"], []).append(line)
        return [order_in(row, by_order.get(row["id"], [])) for row in rows]
