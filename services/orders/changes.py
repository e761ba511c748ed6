"""Changes of an order that somebody asks for: cancelling it, refunding it.

Each is a guarded change of the order's row first; a workflow carries it out and reports here how it ended.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from contracts.checkout import CANCELLED, workflow_id_of
from contracts.orders import (
    ORDER_CANCELLED,
    CallOperatorForRefund,
    CancellationState,
    FinishCancellation,
    OrderState,
    RefundState,
    RefuseCancellation,
    SettleRefund,
    refund_workflow_id_of,
)
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from services.orders import rules
from services.orders.errors import NeedsNoOperator, UnknownRefund
from services.orders.order import Order
from services.orders.refund import Refund, RefundRequest
from services.orders.store import OrdersStore

log = get_logger(__name__)

Position = tuple[datetime, str]


class OrderChanges:
    """The order's row decides what may still be changed, under its lock."""

    def __init__(self, store: OrdersStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def request_cancellation(self, order_id: str) -> Order:
        """Call the order off while its checkout runs, or ask for its parcel to be stopped; refused once it is
        too late. Safe to repeat."""
        async with self._store.begin() as tx:
            order = await tx.known(order_id, lock=True)
            rules.check_cancellable(order)
            is_asked = order.cancellation_state is CancellationState.REQUESTED
            if order.state is OrderState.PENDING:
                order = order.called_off(CANCELLED)
            elif order.state is OrderState.CONFIRMED and not is_asked:
                order = order.to_be_cancelled()
            else:
                return order
            await tx.move(order, self._clock())
            return order

    async def refuse_cancellation(self, command: RefuseCancellation) -> None:
        """The parcel cannot be stopped: the order goes on, and shows why. Safe to repeat, however late."""
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            is_asked = order.cancellation_state is CancellationState.REQUESTED
            if not is_asked or command.attempt != order.cancellation_attempt:
                return
            refused = replace(
                order,
                cancellation_state=CancellationState.REFUSED,
                cancellation_reason=command.refusal.code,
                operator_note=None,
            )
            await tx.move(refused, self._clock())

    async def finish_cancellation(self, command: FinishCancellation) -> None:
        """Parcel, money and stock are settled: the order is cancelled. Safe to repeat."""
        now = self._clock()
        async with self._store.begin() as tx:
            order = await tx.known(command.order_id, lock=True)
            if order.cancellation_state is not CancellationState.REQUESTED:
                return
            cancelled = replace(
                order,
                state=OrderState.CANCELLED,
                sequence=order.sequence + 1,
                payment_state=rules.payment_after_cancellation(order.captured),
                cancellation_state=CancellationState.DONE,
                operator_note=None,
            )
            await tx.move(cancelled, now)
            await tx.emit([cancelled.event(ORDER_CANCELLED, now)])

    async def request_refund(self, request: RefundRequest) -> Refund:
        """Write a refund down, once per key; refused beyond what was captured. Safe to repeat with a key."""
        now = self._clock()
        async with self._store.begin() as tx:
            order = await tx.known(request.order_id, lock=True)
            refund_id = request.refund_id
            known = await tx.refunds.find(refund_id)
            if known is not None:
                rules.check_same_refund(known, request)
                return known
            spoken_for = await tx.refunds.spoken_for(order.id)
            refund = Refund(
                id=refund_id,
                order_id=order.id,
                amount=rules.refund_amount(order, request.amount, spoken_for),
                reason=request.reason,
                requested_by=request.requested_by,
                state=RefundState.REQUESTED,
                created_at=now,
            )
            await tx.refunds.add(refund)
        log.info("refund requested", order_id=order.id, refund_id=refund.id, amount=str(refund.amount))
        return refund

    async def settle_refund(self, command: SettleRefund) -> None:
        """Write how a refund ended; the first end stands. Safe to repeat."""
        state = RefundState.REFUSED if command.refusal else RefundState.DONE
        async with self._store.begin() as tx:
            if await tx.refunds.find(command.refund_id) is None:
                raise UnknownRefund("there is no such refund")
            await tx.refunds.settle(command.refund_id, state, command.refusal, self._clock())

    async def call_operator_for_refund(self, command: CallOperatorForRefund) -> None:
        """Mark a refund that cannot end without a person. Safe to repeat."""
        async with self._store.begin() as tx:
            await tx.refunds.note_for_operator(command.refund_id, command.detail)

    async def refunds_of(self, *order_ids: str) -> list[Refund]:
        """The refunds of these orders, oldest first."""
        async with self._store.begin() as tx:
            return await tx.refunds.of(order_ids)

    async def workflows_in_need(self, order_id: str) -> list[str]:
        """The ids of the order's workflows that wait for an operator; refused where none does."""
        async with self._store.begin() as tx:
            order = await tx.known(order_id)
            refunds = await tx.refunds.of([order.id])
        in_need = [refund_workflow_id_of(refund.id) for refund in refunds if refund.needs_operator]
        if order.needs_operator:
            cancellation_id = order.cancellation().workflow_id
            in_need.append(cancellation_id if order.was_confirmed else workflow_id_of(order.id))
        if not in_need:
            raise NeedsNoOperator("nothing of this order waits for an operator")
        return in_need

    async def cancellations_to_make(
        self, *, older_than: timedelta, after: Position | None = None, limit: int = 100
    ) -> list[Order]:
        """A page of the orders whose cancellation should at least be running by now."""
        async with self._store.begin() as tx:
            return await tx.to_cancel(self._clock() - older_than, after, limit)

    async def refunds_to_make(
        self, *, older_than: timedelta, after: Position | None = None, limit: int = 100
    ) -> list[Refund]:
        """A page of the refunds that should at least be running by now."""
        async with self._store.begin() as tx:
            return await tx.refunds.to_make(self._clock() - older_than, after, limit)
