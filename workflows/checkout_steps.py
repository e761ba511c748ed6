"""The checkout's activities: which service carries each out, how long an attempt may take, how it retries.

The other services' steps are remote, on their own queues; the orders service's own are local activities.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.inventory import InventoryActivities
    from activities.orders import OrdersActivities
    from activities.payments import PaymentsActivities
    from contracts.checkout import (
        AwaitAction,
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
    from contracts.payments import AuthorizationDone, AuthorizePayment, VoidPayment
    from contracts.topology import TaskQueue
    from workflows.saga import PERSISTENT_RETRIES, STEP_RETRIES

ATTEMPT_LIMIT = timedelta(seconds=10)


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
            retry_policy=PERSISTENT_RETRIES,
            summary="undo: give the held units back",
        )

    async def authorize_payment(self) -> AuthorizationDone:
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
            retry_policy=PERSISTENT_RETRIES,
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

    async def await_action(self, action_url: str) -> None:
        await workflow.execute_local_activity_method(
            OrdersActivities.await_action,
            AwaitAction(order_id=self._order_id, traceparent=self._traceparent, action_url=action_url),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="show the buyer where to act",
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
