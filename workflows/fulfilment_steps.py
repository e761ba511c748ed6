"""The fulfilment's activities: payments' and inventory's on their queues, the service's own as local ones.

A refusal holds the parcel; what keeps failing is tried on and calls a person meanwhile.
"""

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
    from workflows.saga import PERSISTENT_RETRIES
    from workflows.steps import local_step, remote_step


class FulfilmentSteps:
    """Every step of one parcel, ready to be carried out."""

    def __init__(self, fulfilment: Fulfilment) -> None:
        self._order_id = fulfilment.order_id
        self._traceparent = fulfilment.traceparent
        self._units = sum(line.quantity for line in fulfilment.lines)

    async def look(self) -> ShipmentSeen:
        """Ask the arbiter, the shipment's row: where does the parcel stand?"""
        return await local_step(
            FulfilmentActivities.look,
            LookAtShipment(order_id=self._order_id, traceparent=self._traceparent),
            "where does the parcel stand?",
        )

    async def capture_payment(self) -> None:
        await remote_step(
            TaskQueue.PAYMENTS,
            PaymentsActivities.capture,
            CapturePayment(order_id=self._order_id, traceparent=self._traceparent),
            "take what is held on the card",
            PERSISTENT_RETRIES,
        )

    async def take_stock(self) -> None:
        await remote_step(
            TaskQueue.INVENTORY,
            InventoryActivities.take,
            TakeStock(order_id=self._order_id, traceparent=self._traceparent),
            f"{self._units} units leave the building",
            PERSISTENT_RETRIES,
        )

    async def finish_shipping(self) -> None:
        await local_step(
            FulfilmentActivities.finish_shipping,
            FinishShipping(order_id=self._order_id, traceparent=self._traceparent),
            "paid and packed: the parcel is on its way",
        )

    async def hold(self, reason: str) -> None:
        await local_step(
            FulfilmentActivities.hold,
            HoldShipment(order_id=self._order_id, traceparent=self._traceparent, reason=reason),
            "refused: the parcel waits for a person",
        )

    async def remind(self, times: int) -> None:
        await local_step(
            FulfilmentActivities.remind,
            Remind(order_id=self._order_id, traceparent=self._traceparent, times=times),
            f"the parcel still sits: reminder {times}",
        )
