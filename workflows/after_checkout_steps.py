"""The activities of what happens to an order after its checkout: who carries each out, how it retries.

The other services' steps are remote, on their own queues; the orders service's own are local activities.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfilment import FulfilmentActivities
    from activities.inventory import InventoryActivities
    from activities.orders import OrderChangesActivities, OrdersActivities
    from activities.payments import PaymentsActivities
    from contracts.checkout import CallOperator, StepDone
    from contracts.errors import Refusal
    from contracts.fulfilment import StopShipment
    from contracts.inventory import ReleaseStock
    from contracts.orders import (
        CallOperatorForRefund,
        CancelOrder,
        FinishCancellation,
        RefundOrder,
        RefuseCancellation,
        SettleRefund,
    )
    from contracts.payments import GiveBackPayment, RefundPayment
    from contracts.topology import TaskQueue
    from workflows.saga import PERSISTENT_RETRIES, STEP_RETRIES

ATTEMPT_LIMIT = timedelta(seconds=10)


class CancelSteps:
    """Every step of one order's cancellation, ready to be carried out."""

    def __init__(self, order: CancelOrder) -> None:
        self._order_id = order.order_id
        self._traceparent = order.traceparent

    async def stop_shipment(self) -> StepDone:
        """Ask the arbiter, the shipment's row: it refuses once the parcel is being shipped."""
        return await workflow.execute_activity_method(
            FulfilmentActivities.stop,
            StopShipment(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.FULFILMENT,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="stop the parcel, unless it is being shipped",
        )

    async def give_back_payment(self) -> StepDone:
        return await workflow.execute_activity_method(
            PaymentsActivities.give_back,
            GiveBackPayment(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.PAYMENTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=PERSISTENT_RETRIES,
            summary="let go of what is held, or refund what was taken",
        )

    async def release_stock(self) -> StepDone:
        return await workflow.execute_activity_method(
            InventoryActivities.release,
            ReleaseStock(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.INVENTORY,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=PERSISTENT_RETRIES,
            summary="give the held units back",
        )

    async def refuse(self, refusal: Refusal) -> None:
        await workflow.execute_local_activity_method(
            OrderChangesActivities.refuse_cancellation,
            RefuseCancellation(order_id=self._order_id, traceparent=self._traceparent, refusal=refusal),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="too late: the order goes on",
        )

    async def finish(self) -> None:
        await workflow.execute_local_activity_method(
            OrderChangesActivities.finish_cancellation,
            FinishCancellation(order_id=self._order_id, traceparent=self._traceparent),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="parcel, money and stock are settled: the order is cancelled",
        )

    async def call_operator(self, detail: str) -> None:
        await workflow.execute_local_activity_method(
            OrdersActivities.call_operator,
            CallOperator(order_id=self._order_id, traceparent=self._traceparent, detail=detail),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="mark the order for an operator",
        )


class RefundSteps:
    """Every step of one refund, ready to be carried out."""

    def __init__(self, refund: RefundOrder) -> None:
        self._refund = refund

    async def refund_payment(self) -> StepDone:
        refund = self._refund
        return await workflow.execute_activity_method(
            PaymentsActivities.refund,
            RefundPayment(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                amount=refund.amount,
                key=refund.refund_id,
            ),
            task_queue=TaskQueue.PAYMENTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=PERSISTENT_RETRIES,
            summary=f"give {refund.amount} back to the card",
        )

    async def settle(self, refusal: Refusal | None) -> None:
        refund = self._refund
        await workflow.execute_local_activity_method(
            OrderChangesActivities.settle_refund,
            SettleRefund(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                refund_id=refund.refund_id,
                refusal=refusal,
            ),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="store how it went",
        )

    async def call_operator(self, detail: str) -> None:
        refund = self._refund
        await workflow.execute_local_activity_method(
            OrderChangesActivities.call_operator_for_refund,
            CallOperatorForRefund(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                refund_id=refund.refund_id,
                detail=detail,
            ),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="mark the refund for an operator",
        )
