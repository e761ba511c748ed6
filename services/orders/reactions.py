"""What orders does when it hears of a parcel or of money: an order's row follows both."""

from dataclasses import replace
from datetime import datetime

from contracts.orders import ORDER_COMPLETED, ORDER_DELIVERED, ORDER_SHIPPED, OrderState
from runtime.clock import Clock, utc_now
from runtime.reactions import Heard
from services.orders import rules
from services.orders.heard import PaymentFacts, ShipmentFacts
from services.orders.order import Order
from services.orders.store import OrdersStore, OrdersTransaction

_EVENT_OF = {
    OrderState.SHIPPED: ORDER_SHIPPED,
    OrderState.DELIVERED: ORDER_DELIVERED,
    OrderState.COMPLETED: ORDER_COMPLETED,
}


class OrderReactions:
    """Facts carry all of their subject's state, so one that is older than what the row knows is dropped."""

    def __init__(self, store: OrdersStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def follow_shipment(self, heard: Heard[ShipmentFacts]) -> None:
        """Show how the parcel stands, and move the order along with it. Safe to repeat."""
        now = self._clock()
        async with self._store.begin() as tx:
            if not await tx.first_time(heard, now):
                return
            order = await tx.known(heard.facts.order_id, lock=True)
            if heard.sequence <= order.fulfilment_sequence:
                return
            states = rules.states_after_shipment(order.state, heard.facts.state)
            order = replace(order, fulfilment_state=heard.facts.state, fulfilment_sequence=heard.sequence)
            await _pass_through(tx, order, states, now)

    async def follow_payment(self, heard: Heard[PaymentFacts]) -> None:
        """Show how the money stands; the last of it completes a delivered order. Safe to repeat."""
        now, facts = self._clock(), heard.facts
        async with self._store.begin() as tx:
            if not await tx.first_time(heard, now):
                return
            order = await tx.known(facts.order_id, lock=True)
            if heard.sequence <= order.payment_sequence:
                return
            state = rules.payment_after(order, heard.type, captured=facts.captured, refunded=facts.refunded)
            order = replace(
                order,
                payment_state=state,
                payment_sequence=heard.sequence,
                captured=facts.captured,
                refunded=facts.refunded,
            )
            await _pass_through(tx, order, (), now)


async def _pass_through(
    tx: OrdersTransaction, order: Order, states: tuple[OrderState, ...], now: datetime
) -> None:
    """Write the order with what it becomes, telling of each state that it passes."""
    reached = states[-1] if states else order.state
    if rules.is_completed(reached, order.payment_state):
        states = (*states, OrderState.COMPLETED)
    events = []
    for state in states:
        order = replace(order, state=state, sequence=order.sequence + 1)
        events.append(order.event(_EVENT_OF[state], now))
    await tx.move(order, now)
    await tx.emit(events)
