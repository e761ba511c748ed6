"""Fulfilment over a database of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from contracts.events import Event
from contracts.fulfilment import FinishShipping, HoldShipment, LookAtShipment, Remind, StopShipment
from contracts.inventory import StockLine
from contracts.orders import ORDER_CONFIRMED
from runtime.clock import utc_now
from runtime.database import Database
from runtime.reactions import Heard
from services.fulfilment.heard import OrderConfirmedFacts
from services.fulfilment.service import FulfilmentService
from services.fulfilment.store import FulfilmentStore
from tests.conftest import FreshDatabase
from tests.stores.outbox import events_about

LINES = (StockLine(sku="MUG", quantity=2), StockLine(sku="KIT-MOKA-3", quantity=1))
CARRIER, TRACKING = "DHL", "0034"


@dataclass(frozen=True)
class Depot:
    database: Database
    fulfilment: FulfilmentService

    async def opened(self) -> str:
        """The order of a new parcel, as it stands after the order was confirmed."""
        order_id = new_order_id()
        await self.fulfilment.open_shipment(confirmed(order_id))
        return order_id

    async def shipping(self) -> str:
        order_id = await self.opened()
        await self.ship(order_id)
        return order_id

    async def held(self) -> str:
        order_id = await self.shipping()
        await self.hold(order_id)
        return order_id

    async def shipped(self) -> str:
        order_id = await self.shipping()
        await self.finish(order_id)
        return order_id

    async def delivered(self) -> str:
        order_id = await self.shipped()
        await self.fulfilment.deliver(order_id)
        return order_id

    async def stopped(self) -> str:
        order_id = await self.opened()
        await self.stop(order_id)
        return order_id

    async def ship(self, order_id: str) -> None:
        await self.fulfilment.request_shipping(order_id, CARRIER, TRACKING)

    async def stop(self, order_id: str) -> None:
        await self.fulfilment.stop(StopShipment(order_id=order_id))

    async def hold(self, order_id: str) -> None:
        await self.fulfilment.hold(HoldShipment(order_id=order_id, reason="payments.capture_failed: no"))

    async def finish(self, order_id: str) -> None:
        await self.fulfilment.finish_shipping(FinishShipping(order_id=order_id))

    async def remind(self, order_id: str, times: int) -> None:
        await self.fulfilment.remind(Remind(order_id=order_id, times=times))

    async def look(self, order_id: str) -> None:
        await self.fulfilment.look(LookAtShipment(order_id=order_id))

    async def events(self, order_id: str) -> list[Event]:
        return await events_about(self.database, order_id)

    async def said(self, order_id: str) -> list[str]:
        """What was said about the parcel, in order."""
        return [event.type for event in await self.events(order_id)]


def confirmed(order_id: str) -> Heard[OrderConfirmedFacts]:
    """An order's confirmation as fulfilment hears it."""
    return Heard(
        handler="fulfilment.open_shipment",
        event_id=uuid4(),
        type=ORDER_CONFIRMED,
        subject=order_id,
        sequence=2,
        time=utc_now(),
        traceparent=None,
        facts=OrderConfirmedFacts(order_id=order_id, lines=LINES),
    )


def new_order_id() -> str:
    return uuid4().hex


@asynccontextmanager
async def open_depot(fresh_database: FreshDatabase) -> AsyncIterator[Depot]:
    database = Database(await fresh_database("fulfilment"), pool_size=10)
    try:
        yield Depot(database, FulfilmentService(FulfilmentStore(database)))
    finally:
        await database.dispose()
