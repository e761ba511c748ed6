"""The checkout's activities: which service carries each out, how long an attempt may take, how it retries.

The other services' steps are remote, on their own queues; the orders service's own are local activities.
"""

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
    from workflows.saga import PERSISTENT_RETRIES
    from workflows.steps import local_step, remote_step


class CheckoutSteps:
    """Every step and undo of one checkout, ready to be carried out."""

    def __init__(self, checkout: Checkout) -> None:
        self._checkout = checkout
        self._order_id = checkout.order_id
        self._traceparent = checkout.traceparent

    async def reserve_stock(self) -> StepDone:
        lines = self._checkout.lines
        return await remote_step(
            TaskQueue.INVENTORY,
            InventoryActivities.reserve,
            ReserveStock(order_id=self._order_id, traceparent=self._traceparent, lines=lines),
            f"hold {sum(line.quantity for line in lines)} units",
        )

    async def release_stock(self) -> StepDone:
        return await remote_step(
            TaskQueue.INVENTORY,
            InventoryActivities.release,
            ReleaseStock(order_id=self._order_id, traceparent=self._traceparent),
            "undo: give the held units back",
            PERSISTENT_RETRIES,
        )

    async def authorize_payment(self) -> AuthorizationDone:
        return await remote_step(
            TaskQueue.PAYMENTS,
            PaymentsActivities.authorize,
            AuthorizePayment(
                order_id=self._order_id,
                traceparent=self._traceparent,
                amount=self._checkout.total,
                token=self._checkout.payment_token,
            ),
            f"hold {self._checkout.total} on the card",
        )

    async def void_payment(self) -> StepDone:
        return await remote_step(
            TaskQueue.PAYMENTS,
            PaymentsActivities.void,
            VoidPayment(order_id=self._order_id, traceparent=self._traceparent),
            "undo: let go of what is held on the card",
            PERSISTENT_RETRIES,
        )

    async def confirm_order(self) -> StepDone:
        return await local_step(
            OrdersActivities.confirm,
            ConfirmOrder(order_id=self._order_id, traceparent=self._traceparent),
            "the pivot: the order is final",
        )

    async def await_action(self, action_url: str) -> None:
        await local_step(
            OrdersActivities.await_action,
            AwaitAction(order_id=self._order_id, traceparent=self._traceparent, action_url=action_url),
            "show the buyer where to act",
        )

    async def may_undo(self, reason: Refusal) -> UndoVerdict:
        """Ask the arbiter, the order's row: a confirmed order goes forward whatever the reason."""
        return await local_step(
            OrdersActivities.begin_undo,
            BeginUndo(order_id=self._order_id, traceparent=self._traceparent, refusal=reason),
            "may this checkout be undone?",
        )

    async def end_undone(self, steps: tuple[Step, ...]) -> None:
        await local_step(
            OrdersActivities.end_undone,
            EndUndone(order_id=self._order_id, traceparent=self._traceparent, steps=steps),
            "money and stock are back: the order ends",
        )

    async def close(self, steps: tuple[Step, ...]) -> None:
        await local_step(
            OrdersActivities.close,
            CloseCheckout(order_id=self._order_id, traceparent=self._traceparent, steps=steps),
            "store how it went",
        )

    async def call_operator(self, detail: str) -> None:
        await local_step(
            OrdersActivities.call_operator,
            CallOperator(order_id=self._order_id, traceparent=self._traceparent, detail=detail),
            "mark the order for an operator",
        )
