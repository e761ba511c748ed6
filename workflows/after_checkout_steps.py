"""The activities of what happens to an order after its checkout: who carries each out, how it retries.

The other services' steps are remote, on their own queues; the orders service's own are local activities.
"""

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
    from workflows.saga import PERSISTENT_RETRIES
    from workflows.steps import local_step, remote_step


class CancelSteps:
    """Every step of one order's cancellation, ready to be carried out."""

    def __init__(self, order: CancelOrder) -> None:
        self._order_id = order.order_id
        self._attempt = order.attempt
        self._traceparent = order.traceparent

    async def stop_shipment(self) -> StepDone:
        """Ask the arbiter, the shipment's row: it refuses once the parcel is being shipped."""
        return await remote_step(
            TaskQueue.FULFILMENT,
            FulfilmentActivities.stop,
            StopShipment(order_id=self._order_id, traceparent=self._traceparent),
            "stop the parcel, unless it is being shipped",
        )

    async def give_back_payment(self) -> StepDone:
        return await remote_step(
            TaskQueue.PAYMENTS,
            PaymentsActivities.give_back,
            GiveBackPayment(order_id=self._order_id, traceparent=self._traceparent),
            "let go of what is held, or refund what was taken",
            PERSISTENT_RETRIES,
        )

    async def release_stock(self) -> StepDone:
        return await remote_step(
            TaskQueue.INVENTORY,
            InventoryActivities.release,
            ReleaseStock(order_id=self._order_id, traceparent=self._traceparent),
            "give the held units back",
            PERSISTENT_RETRIES,
        )

    async def refuse(self, refusal: Refusal) -> None:
        await local_step(
            OrderChangesActivities.refuse_cancellation,
            RefuseCancellation(
                order_id=self._order_id,
                traceparent=self._traceparent,
                refusal=refusal,
                attempt=self._attempt,
            ),
            "too late: the order goes on",
        )

    async def finish(self) -> None:
        await local_step(
            OrderChangesActivities.finish_cancellation,
            FinishCancellation(order_id=self._order_id, traceparent=self._traceparent),
            "parcel, money and stock are settled: the order is cancelled",
        )

    async def call_operator(self, detail: str) -> None:
        await local_step(
            OrdersActivities.call_operator,
            CallOperator(order_id=self._order_id, traceparent=self._traceparent, detail=detail),
            "mark the order for an operator",
        )


class RefundSteps:
    """Every step of one refund, ready to be carried out."""

    def __init__(self, refund: RefundOrder) -> None:
        self._refund = refund

    async def refund_payment(self) -> StepDone:
        refund = self._refund
        return await remote_step(
            TaskQueue.PAYMENTS,
            PaymentsActivities.refund,
            RefundPayment(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                amount=refund.amount,
                key=refund.refund_id,
            ),
            f"give {refund.amount} back to the card",
            PERSISTENT_RETRIES,
        )

    async def settle(self, refusal: Refusal | None) -> None:
        refund = self._refund
        await local_step(
            OrderChangesActivities.settle_refund,
            SettleRefund(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                refund_id=refund.refund_id,
                refusal=refusal,
            ),
            "store how it went",
        )

    async def call_operator(self, detail: str) -> None:
        refund = self._refund
        await local_step(
            OrderChangesActivities.call_operator_for_refund,
            CallOperatorForRefund(
                order_id=refund.order_id,
                traceparent=refund.traceparent,
                refund_id=refund.refund_id,
                detail=detail,
            ),
            "mark the refund for an operator",
        )
