"""Fulfilment's use cases: the only way in."""

from collections.abc import Sequence
from datetime import datetime

from contracts.fulfilment import (
    SHIPMENT_DELIVERED,
    SHIPMENT_HELD,
    SHIPMENT_OPENED,
    SHIPMENT_OVERDUE,
    SHIPMENT_SHIPPED,
    SHIPMENT_STOPPED,
    SHIPPING_REQUESTED,
    FinishShipping,
    HoldShipment,
    LookAtShipment,
    Remind,
    ShipmentSeen,
    ShipmentState,
    StopShipment,
)
from runtime.clock import Clock, utc_now
from runtime.reactions import Heard
from services.fulfilment import rules
from services.fulfilment.errors import ShipmentNotFound
from services.fulfilment.heard import OrderConfirmedFacts
from services.fulfilment.shipment import Shipment
from services.fulfilment.store import FulfilmentStore, FulfilmentTransaction

_UNATTENDED_AT_ONCE = 100


class FulfilmentService:
    """Parcels: the shipment's row decides between a stop and a shipment, once and for all."""

    def __init__(self, store: FulfilmentStore, clock: Clock = utc_now) -> None:
        self._store = store
        self._clock = clock

    async def open_shipment(self, heard: Heard[OrderConfirmedFacts]) -> Shipment:
        """Open the confirmed order's shipment unless it was stopped before; answers the one that stands.

        Safe to repeat.
        """
        now, order = self._clock(), heard.facts
        opened = Shipment.opened(order.order_id, order.lines, heard.traceparent, now)
        async with self._store.begin() as tx:
            if await tx.first_time(heard, now) and await tx.add(opened):
                await tx.emit([opened.event(SHIPMENT_OPENED)])
                return opened
            return _known(await tx.find(order.order_id))

    async def request_shipping(self, order_id: str, carrier: str, tracking: str) -> Shipment:
        """Have a waiting parcel shipped, else refuse; the same again is harmless until it has left."""
        async with self._store.begin() as tx:
            shipment = _known(await tx.find(order_id, lock=True))
            same = (shipment.carrier, shipment.tracking) == (carrier, tracking)
            if not rules.must_request(shipment.state, same_parcel=same):
                return shipment
            requested = shipment.changed(
                self._clock(), state=ShipmentState.SHIPPING, carrier=carrier, tracking=tracking, reason=None
            )
            return await _write(tx, requested, SHIPPING_REQUESTED)

    async def stop(self, command: StopShipment) -> None:
        """Never send the parcel; refused once it is being shipped. Safe to repeat.

        Where none is open yet it leaves a tombstone, so that none is opened later.
        """
        now = self._clock()
        tombstone = Shipment.tombstone(command.order_id, command.traceparent, now)
        async with self._store.begin() as tx:
            if await tx.add(tombstone):
                await tx.emit([tombstone.event(SHIPMENT_STOPPED)])
                return
            shipment = _known(await tx.find(command.order_id, lock=True))
            if rules.must_stop(shipment.state):
                stopped = shipment.changed(now, state=ShipmentState.STOPPED, reason=None)
                await _write(tx, stopped, SHIPMENT_STOPPED)

    async def look(self, command: LookAtShipment) -> ShipmentSeen:
        """What the row says now; that the workflow knows it is noted. Safe to repeat."""
        async with self._store.begin() as tx:
            return _known(await tx.look(command.order_id, self._clock())).as_seen()

    async def hold(self, command: HoldShipment) -> None:
        """Let the parcel wait for a person again, with the reason; safe to repeat."""
        async with self._store.begin() as tx:
            shipment = _known(await tx.find(command.order_id, lock=True))
            if rules.must_hold(shipment.state):
                held = shipment.changed(self._clock(), state=ShipmentState.HELD, reason=command.reason)
                await _write(tx, held, SHIPMENT_HELD)

    async def finish_shipping(self, command: FinishShipping) -> None:
        """The parcel is on its way; safe to repeat."""
        async with self._store.begin() as tx:
            shipment = _known(await tx.find(command.order_id, lock=True))
            if rules.must_finish(shipment.state):
                shipped = shipment.changed(self._clock(), state=ShipmentState.SHIPPED)
                await _write(tx, shipped, SHIPMENT_SHIPPED)

    async def deliver(self, order_id: str) -> Shipment:
        """The parcel has arrived; refused before it was shipped. Safe to repeat."""
        async with self._store.begin() as tx:
            shipment = _known(await tx.find(order_id, lock=True))
            if not rules.must_deliver(shipment.state):
                return shipment
            delivered = shipment.changed(self._clock(), state=ShipmentState.DELIVERED)
            return await _write(tx, delivered, SHIPMENT_DELIVERED)

    async def remind(self, command: Remind) -> None:
        """Tell the staff that the parcel still sits, once for each count; safe to repeat."""
        async with self._store.begin() as tx:
            shipment = _known(await tx.find(command.order_id, lock=True))
            if rules.must_remind(shipment.state, reminders=shipment.reminders, times=command.times):
                await _write(tx, shipment.changed(self._clock(), reminders=command.times), SHIPMENT_OVERDUE)

    async def shipment(self, order_id: str) -> Shipment:
        """One order's shipment."""
        async with self._store.begin() as tx:
            return _known(await tx.find(order_id))

    async def shipments(
        self, *, state: ShipmentState | None, after: tuple[datetime, str] | None, limit: int
    ) -> list[Shipment]:
        """Shipments, newest first, of one state if asked."""
        async with self._store.begin() as tx:
            return await tx.page(state=state, after=after, limit=limit)

    async def unattended(self, *, hurried_before: datetime, patrolled_before: datetime) -> list[Shipment]:
        """Some of the shipments whose workflow may not know what happened, or may not be there at all.

        What has changed or is being shipped should have been seen to since `hurried_before`, what waits since
        `patrolled_before`.
        """
        async with self._store.begin() as tx:
            return await tx.unattended(
                hurried_before=hurried_before, patrolled_before=patrolled_before, limit=_UNATTENDED_AT_ONCE
            )

    async def attended(self, shipments: Sequence[Shipment]) -> None:
        """Somebody has seen to these; safe to repeat."""
        async with self._store.begin() as tx:
            await tx.attended([shipment.order_id for shipment in shipments], self._clock())

    async def ready(self) -> None:
        await self._store.ping()


async def _write(tx: FulfilmentTransaction, shipment: Shipment, event_type: str) -> Shipment:
    await tx.change(shipment)
    await tx.emit([shipment.event(event_type)])
    return shipment


def _known(shipment: Shipment | None) -> Shipment:
    if shipment is None:
        raise ShipmentNotFound("there is no shipment for this order")
    return shipment
