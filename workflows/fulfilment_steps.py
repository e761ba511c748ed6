"""The fulfilment's activities: payments' and inventory's on their queues, the service's own as local ones.

A refusal holds the parcel; what keeps failing is tried on and calls a person meanwhile.
"""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fulfilment import FulfilmentActivities
    from activities.inventory import InventoryActivities
    from activities.payments import PaymentsActivities
    from contracts.fulfilment import (
        FinishShipping,
        Fulfilment,
        HoldShipment,
        LookAtShipment,
        Remind,
        ShipmentSeen,
    )
    from contracts.inventory import TakeStock
    from contracts.payments import CapturePayment
    from contracts.topology import TaskQueue
    from workflows.saga import PERSISTENT_RETRIES, STEP_RETRIES

ATTEMPT_LIMIT = timedelta(seconds=10)


class FulfilmentSteps:
    """Every step of one parcel, ready to be carried out."""

    def __init__(self, fulfilment: Fulfilment) -> None:
        self._order_id = fulfilment.order_id
        self._traceparent = fulfilment.traceparent
        self._units = sum(line.quantity for line in fulfilment.lines)

    async def look(self) -> ShipmentSeen:
        """Ask the arbiter, the shipment's row: where does the parcel stand?"""
        return await workflow.execute_local_activity_method(
            FulfilmentActivities.look,
            LookAtShipment(order_id=self._order_id, traceparent=self._traceparent),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="where does the parcel stand?",
        )

    async def capture_payment(self) -> None:
        await workflow.execute_activity_method(
            PaymentsActivities.capture,
            CapturePayment(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.PAYMENTS,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=PERSISTENT_RETRIES,
            summary="take what is held on the card",
        )

    async def take_stock(self) -> None:
        await workflow.execute_activity_method(
            InventoryActivities.take,
            TakeStock(order_id=self._order_id, traceparent=self._traceparent),
            task_queue=TaskQueue.INVENTORY,
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=PERSISTENT_RETRIES,
            summary=f"{self._units} units leave the building",
        )

    async def finish_shipping(self) -> None:
        await workflow.execute_local_activity_method(
            FulfilmentActivities.finish_shipping,
            FinishShipping(order_id=self._order_id, traceparent=self._traceparent),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="paid and packed: the parcel is on its way",
        )

    async def hold(self, reason: str) -> None:
        await workflow.execute_local_activity_method(
            FulfilmentActivities.hold,
            HoldShipment(order_id=self._order_id, traceparent=self._traceparent, reason=reason),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary="refused: the parcel waits for a person",
        )

    async def remind(self, times: int) -> None:
        await workflow.execute_local_activity_method(
            FulfilmentActivities.remind,
            Remind(order_id=self._order_id, traceparent=self._traceparent, times=times),
            start_to_close_timeout=ATTEMPT_LIMIT,
            retry_policy=STEP_RETRIES,
            summary=f"the parcel still sits: reminder {times}",
        )
