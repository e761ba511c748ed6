"""The shipping desk: where HTTP meets the shipment's row and the workflow."""

import asyncio
import time
from datetime import timedelta

from contracts.errors import Unavailable
from contracts.fulfilment import ShipmentState
from runtime.logs import get_logger
from runtime.settings import Settings
from services.fulfilment.errors import ShipmentNotFound
from services.fulfilment.service import FulfilmentService
from services.fulfilment.shipment import Shipment
from workflows.fulfilments import Fulfilments

log = get_logger(__name__)

OPENING_SECONDS = 1.0
LOOK_AGAIN_SECONDS = 0.05


class ShippingDesk:
    """Takes what the staff says about parcels: in the row first, then at the workflow."""

    def __init__(self, fulfilment: FulfilmentService, fulfilments: Fulfilments, settings: Settings) -> None:
        self.fulfilment = fulfilment
        self._fulfilments = fulfilments
        self._reminder = timedelta(seconds=settings.shipment_reminder_seconds)

    async def ship(self, order_id: str, carrier: str, tracking: str) -> Shipment:
        """Have the parcel shipped; safe to repeat while it is.

        Of an order that was confirmed just now the shipment may not be open yet: that is waited for a moment.
        """
        opened_by = time.monotonic() + OPENING_SECONDS
        while True:
            try:
                requested = await self.fulfilment.request_shipping(order_id, carrier, tracking)
            except ShipmentNotFound:
                if time.monotonic() > opened_by:
                    raise
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
            else:
                return await self._told(requested)

    async def deliver(self, order_id: str) -> Shipment:
        """The parcel has arrived; safe to repeat."""
        return await self._told(await self.fulfilment.deliver(order_id))

    async def _told(self, shipment: Shipment) -> Shipment:
        """The row has decided; a workflow that could not be told now is told by the reconciler.

        One that struggles to ship tries again now.
        """
        if shipment.has_news or shipment.state is ShipmentState.SHIPPING:
            try:
                await self._fulfilments.wake(shipment.fulfilment(self._reminder))
            except Unavailable as error:
                log.warning(
                    "the reconciler will wake the workflow", order_id=shipment.order_id, reason=str(error)
                )
        return shipment
