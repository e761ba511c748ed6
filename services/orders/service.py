"""Orders' use cases: the checkout's own steps, calling it off, reading.

Taking an order in is intake.py; what comes after the checkout is changes.py and reactions.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from contracts.checkout import (
    CANCELLED,
    AwaitAction,
    BeginUndo,
    CallOperator,
    CloseCheckout,
    ConfirmOrder,
    EndUndone,
    UndoVerdict,
    state_after,
)
from contracts.errors import Refusal
from contracts.orders import ORDER_CANCELLED, ORDER_CONFIRMED, ORDER_REJECTED, OrderState, PaymentState
from runtime.clock import Clock, utc_now
from runtime.metrics import CHECKOUTS
from services.orders import rules
from services.orders.errors import (
    AlreadyConfirmed,
    AlreadyEnded,
    CheckoutCalledOff,
    OrderNotFound,
)
from services.orders.order import KeyRecord, Order
from services.orders.store import OrdersStore, OrdersTransaction

_UNDONE = (OrderState.REJECTED, OrderState.CANCELLED)
_CALLED_OFF = (OrderState.CANCELLING, *_UNDONE)
_EVENT_OF = {
    OrderState.CONFIRMED: ORDER_CONFIRMED,
    OrderState.REJECTED: ORDER_REJECTED,
    OrderState.CANCELLED: ORDER_CANCELLED,
}


class OrdersService:
    """The order's row is the arbiter of its checkout: confirm and undo each pass it under its lock."""

    def __init__(self, store: OrdersStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def confirm(self, command: ConfirmOrder) -> None:
        """Make a pending order final; refused once it is being undone. Safe to repeat."""
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            if order.was_confirmed:
                return
            if order.state in _CALLED_OFF:
                raise CheckoutCalledOff("this checkout was called off before it could be confirmed")
            await self._move(tx, order, OrderState.CONFIRMED, PaymentState.AUTHORIZED)

    async def await_action(self, command: AwaitAction) -> None:
        """Show the buyer where to act, for as long as the checkout can still be confirmed. Safe to repeat."""
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            if order.state is OrderState.PENDING:
                waiting = replace(
                    order, payment_state=PaymentState.ACTION_REQUIRED, action_url=command.action_url
                )
                await tx.move(waiting, self._clock())

    async def begin_undo(self, command: BeginUndo) -> UndoVerdict:
        """Decide whether the checkout may be undone; a confirmed order goes forward. Safe to repeat.

        The reason that stands in the row first is the one that counts.
        """
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            if order.was_confirmed:
                return UndoVerdict(confirmed=True)
            if order.state is OrderState.PENDING:
                order = await self._call_off(tx, order, command.refusal)
            return UndoVerdict(confirmed=False, refusal=order.refusal)

    async def end_undone(self, command: EndUndone) -> None:
        """Close an order whose undos are all done, as rejected or cancelled. Safe to repeat."""
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            if order.state is not OrderState.CANCELLING:
                return
            ended = OrderState(state_after(order.refusal or CANCELLED).value)
            await self._move(tx, order, ended, PaymentState.NONE)
            await tx.end(order.id, rules.merged_steps(order.steps, command.steps), self._clock())
        CHECKOUTS.labels(ended).inc()

    async def close(self, command: CloseCheckout) -> None:
        """Store how a confirmed checkout went. Safe to repeat."""
        async with self._store.begin() as tx:
            found = await tx.stored_steps(command.order_id)
            if found is None:
                raise OrderNotFound("there is no such order")
            stored, was_over = found
            await tx.end(command.order_id, rules.merged_steps(stored, command.steps), self._clock())
        if not was_over:
            CHECKOUTS.labels(OrderState.CONFIRMED).inc()

    async def call_operator(self, command: CallOperator) -> None:
        """Mark a checkout that cannot end without a person. Safe to repeat."""
        async with self._store.begin() as tx:
            await tx.note_for_operator(command.order_id, command.detail, self._clock())

    async def cancel_checkout(self, order_id: str) -> Order:
        """Call a checkout off for good, if it is not past its pivot: from here on it cannot be confirmed."""
        async with self._store.begin() as tx:
            order = await tx.known(order_id, lock=True)
            if order.was_confirmed:
                raise AlreadyConfirmed("this order is confirmed; its checkout cannot be cancelled any more")
            if order.state in _UNDONE:
                raise AlreadyEnded("this checkout has ended already")
            if order.state is OrderState.PENDING:
                return await self._call_off(tx, order, CANCELLED)
            return order

    async def order(self, order_id: str) -> Order:
        """One order, whole."""
        async with self._store.begin() as tx:
            return await tx.known(order_id)

    async def orders(
        self,
        *,
        customer_id: str | None = None,
        states: Sequence[OrderState] = (),
        after: tuple[datetime, str] | None = None,
        limit: int,
    ) -> list[Order]:
        """A page of orders, newest first: one customer's, or everybody's."""
        async with self._store.begin() as tx:
            return await tx.page(customer_id=customer_id, states=states, after=after, limit=limit)

    async def unfinished(
        self, *, older_than: timedelta, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> list[Order]:
        """A page of the orders whose checkout should at least be running by now, oldest first."""
        async with self._store.begin() as tx:
            return await tx.unfinished(self._clock() - older_than, after, limit)

    async def answer(
        self, record: KeyRecord, render: Callable[[Order], tuple[int, bytes] | None]
    ) -> tuple[Order, KeyRecord]:
        """Store a key's final answer, if its order has one by now; the first one stands, for all who ask."""
        async with self._store.begin() as tx:
            order = await tx.known(record.order_id)
            answer = render(order)
            if answer is not None:
                record = await tx.answer_key(record.principal, record.key, *answer)
            return order, record

    async def ready(self) -> None:
        await self._store.ping()

    async def _call_off(self, tx: OrdersTransaction, order: Order, reason: Refusal) -> Order:
        called_off = order.called_off(reason)
        await tx.move(called_off, self._clock())
        return called_off

    async def _move(
        self, tx: OrdersTransaction, order: Order, state: OrderState, payment_state: PaymentState
    ) -> None:
        now = self._clock()
        moved = replace(
            order, state=state, payment_state=payment_state, action_url=None, sequence=order.sequence + 1
        )
        await tx.move(moved, now)
        await tx.emit([moved.event(_EVENT_OF[state], now)])
