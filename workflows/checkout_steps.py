"""The checkout's activities: which service carries each out, how long an attempt may take, how it retries.

The other services' steps are remote, on their own queues; the orders service's own are local activities.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.carts import CartsActivities
    from activities.inventory import InventoryActivities
    from activities.orders import OrdersActivities
    from activities.payments import PaymentsActivities
    from contracts.carts import SettleCart
    from contracts.checkout import (
        BeginUndo,
        CallOperator,
        Checkout,
        CloseCheckout,
        ConfirmOrder,
        EndUndone,
        Step,
        StepDone,
        UndoVerdict,
    )
    from contracts.errors import Refusal
    from contracts.inventory import ReleaseStock, ReserveStock
    from contracts.payments import AuthorizePayment, VoidPayment
    from contracts.topology import TaskQueue
    from workflows.saga import STEP_RETRIES, UNDO_RETRIES

ATTEMPT_LIMIT = timedelta(seconds=10)
# After the pivot the buyer's answer waits this long for the cart; then the cart is settled behind it.
SETTLE_PATIENCE = timedelta(seconds=2)


class CheckoutSteps:
    """Every step and undo of one checkout, ready to be carried out."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._order_id = checkout.order_id
        self._traceparent = checkout.traceparent

    async def reserve_stock(self) -> StepDone:
        lines = self._checkout.lines
        return await workflow.execute_activity_method(
            InventoryActivities.reserve,
            ReserveStock(order_id=self._order_id, traceparent=self._traceparent, lines=lines),
            task_queue=TaskQueue.INVENTORY,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary=f"hold {sum(line.quantity for line in lines)} units",
        )

    async def release_stock(self) -> StepDone:
        return await workflow.execute_activity_method(
            InventoryActivities.release,
            ReleaseStock(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.INVENTORY,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNDO_RETRIES,
            summary="undo: give the held units back",
        )

    async def authorize_payment(self) -> StepDone:
        return await workflow.execute_activity_method(
            PaymentsActivities.authorize,
            AuthorizePayment(
                order_id=self._order_id,
                traceparent=self._traceparent,
                amount=self._checkout.total,
                token=self._checkout.payment_token,
            ),
            task_queue=TaskQueue.PAYMENTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary=f"hold {self._checkout.total} on the card",
        )

    async def void_payment(self) -> StepDone:
        return await workflow.execute_activity_method(
            PaymentsActivities.void,
            VoidPayment(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.PAYMENTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=UNDO_RETRIES,
            summary="undo: let go of what is held on the card",
        )

    async def confirm_order(self) -> StepDone:
        return await workflow.execute_local_activity_method(
            OrdersActivities.confirm,
            ConfirmOrder(order_id=self._order_id, traceparent=self._traceparent),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="the pivot: the order is final",
        )

    async def settle_cart(self) -> StepDone:
        """Take what was bought out of the cart, however long carts is away."""
        return await self._settle_cart(within=None)

    async def settle_cart_soon(self) -> StepDone:
        """The same, but fail when it takes longer than a buyer should wait."""
        return await self._settle_cart(within=SETTLE_PATIENCE)

    async def _settle_cart(self, within: timedelta | None) -> StepDone:
        checkout = self._checkout
        return await workflow.execute_activity_method(
            CartsActivities.settle,
            SettleCart(
                order_id=self._order_id,
                traceparent=self._traceparent,
                cart_ref=checkout.cart_ref,
                generation=checkout.generation,
                lines=checkout.lines,
            ),
            task_queue=TaskQueue.CARTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            schedule_to_close_timeout=within,
            retry_policy=STEP_RETRIES,
            summary="take what was bought out of the cart",
        )

    async def may_undo(self, reason: Refusal) -> UndoVerdict:
        """Ask the arbiter, the order's row: a confirmed order goes forward whatever the reason."""
        return await workflow.execute_local_activity_method(
            OrdersActivities.begin_undo,
            BeginUndo(order_id=self._order_id, traceparent=self._traceparent, refusal=reason),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="may this checkout be undone?",
        )

    async def end_undone(self, steps: tuple[Step, ...]) -> None:
        await workflow.execute_local_activity_method(
            OrdersActivities.end_undone,
            EndUndone(order_id=self._order_id, traceparent=self._traceparent, steps=steps),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="money and stock are back: the order ends",
        )

    async def close(self, steps: tuple[Step, ...]) -> None:
        await workflow.execute_local_activity_method(
            OrdersActivities.close,
            CloseCheckout(order_id=self._order_id, traceparent=self._traceparent, steps=steps),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="store how it went",
        )

    async def call_operator(self, detail: str) -> None:
        await workflow.execute_local_activity_method(
            OrdersActivities.call_operator,
            CallOperator(order_id=self._order_id, traceparent=self._traceparent, detail=detail),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="mark the order for an operator",
        )
