"""A parcel's life in its row: what changes is said once, what is repeated changes nothing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from contracts.fulfilment import (
    SHIPMENT_DELIVERED,
    SHIPMENT_HELD,
    SHIPMENT_OPENED,
    SHIPMENT_OVERDUE,
    SHIPMENT_SHIPPED,
    SHIPMENT_STOPPED,
    SHIPPING_REQUESTED,
    ShipmentState,
)
from services.fulfilment.errors import AlreadyShipping, ShipmentNotFound, WrongState
from tests.conftest import FreshDatabase
from tests.stores.fulfilment_depot import (
    CARRIER,
    LINES,
    TRACKING,
    Depot,
    confirmed,
    new_order_id,
    open_depot,
)


@pytest.fixture(scope="module")
async def depot(fresh_database: FreshDatabase) -> AsyncIterator[Depot]:
    async with open_depot(fresh_database) as depot:
        yield depot


async def test_a_confirmed_order_opens_a_shipment_with_its_lines(depot: Depot) -> None:
    order_id = await depot.opened()
    shipment = await depot.fulfilment.shipment(order_id)
    assert (shipment.state, shipment.lines, shipment.sequence) == (ShipmentState.OPEN, LINES, 1)


async def test_an_event_heard_twice_opens_once(depot: Depot) -> None:
    heard = confirmed(new_order_id())
    for _ in range(2):
        assert (await depot.fulfilment.open_shipment(heard)).state is ShipmentState.OPEN
    assert await depot.said(heard.subject) == [SHIPMENT_OPENED]


async def test_an_event_heard_late_answers_how_the_shipment_stands(depot: Depot) -> None:
    heard = confirmed(new_order_id())
    await depot.fulfilment.open_shipment(heard)
    await depot.ship(heard.subject)
    assert (await depot.fulfilment.open_shipment(heard)).state is ShipmentState.SHIPPING


async def test_a_second_confirmation_opens_no_second_shipment(depot: Depot) -> None:
    heard = confirmed(new_order_id())
    await depot.fulfilment.open_shipment(heard)
    await depot.fulfilment.open_shipment(replace(heard, event_id=uuid4()))
    assert await depot.said(heard.subject) == [SHIPMENT_OPENED]


async def test_a_stop_before_the_opening_leaves_nothing_to_open(depot: Depot) -> None:
    order_id = new_order_id()
    for _ in range(2):
        await depot.stop(order_id)
    assert (await depot.fulfilment.open_shipment(confirmed(order_id))).state is ShipmentState.STOPPED
    assert await depot.said(order_id) == [SHIPMENT_STOPPED]


async def test_a_parcel_goes_from_the_shelf_to_the_doorstep(depot: Depot) -> None:
    order_id = await depot.opened()
    for _ in range(2):
        await depot.ship(order_id)
    for _ in range(2):
        await depot.finish(order_id)
    for _ in range(2):
        await depot.fulfilment.deliver(order_id)
    events = await depot.events(order_id)
    assert [(event.type, event.sequence) for event in events] == [
        (SHIPMENT_OPENED, 1),
        (SHIPPING_REQUESTED, 2),
        (SHIPMENT_SHIPPED, 3),
        (SHIPMENT_DELIVERED, 4),
    ]
    assert events[-1].data == {
        "order_id": order_id,
        "state": "delivered",
        "lines": [line.model_dump() for line in LINES],
        "carrier": CARRIER,
        "tracking": TRACKING,
        "reason": None,
    }


async def test_a_held_parcel_can_be_shipped_another_way(depot: Depot) -> None:
    order_id = await depot.held()
    assert (await depot.fulfilment.shipment(order_id)).reason == "payments.capture_failed: no"
    shipment = await depot.fulfilment.request_shipping(order_id, "UPS", "1Z")
    assert (shipment.carrier, shipment.tracking, shipment.reason) == ("UPS", "1Z", None)
    assert (await depot.said(order_id))[-2:] == [SHIPMENT_HELD, SHIPPING_REQUESTED]


@pytest.mark.parametrize("waiting", [Depot.opened, Depot.held])
async def test_a_waiting_parcel_can_be_stopped(
    depot: Depot, waiting: Callable[[Depot], Awaitable[str]]
) -> None:
    order_id = await waiting(depot)
    for _ in range(2):
        await depot.stop(order_id)
    assert (await depot.said(order_id)).count(SHIPMENT_STOPPED) == 1
    with pytest.raises(WrongState):
        await depot.ship(order_id)


@pytest.mark.parametrize("on_its_way", [Depot.shipping, Depot.shipped, Depot.delivered])
async def test_a_parcel_on_its_way_is_not_stopped(
    depot: Depot, on_its_way: Callable[[Depot], Awaitable[str]]
) -> None:
    order_id = await on_its_way(depot)
    before = await depot.fulfilment.shipment(order_id)
    with pytest.raises(AlreadyShipping):
        await depot.stop(order_id)
    assert await depot.fulfilment.shipment(order_id) == before


async def test_another_carrier_is_refused_while_one_is_at_work(depot: Depot) -> None:
    order_id = await depot.shipping()
    with pytest.raises(WrongState):
        await depot.fulfilment.request_shipping(order_id, "UPS", "1Z")
    assert (await depot.fulfilment.shipment(order_id)).carrier == CARRIER


async def test_each_reminder_is_said_once(depot: Depot) -> None:
    order_id = await depot.opened()
    for times in (1, 1, 2):
        await depot.remind(order_id, times)
    assert await depot.said(order_id) == [SHIPMENT_OPENED, SHIPMENT_OVERDUE, SHIPMENT_OVERDUE]
    assert (await depot.fulfilment.shipment(order_id)).reminders == 2


async def test_what_is_being_shipped_is_not_overdue(depot: Depot) -> None:
    order_id = await depot.shipping()
    await depot.remind(order_id, 1)
    assert SHIPMENT_OVERDUE not in await depot.said(order_id)


async def test_an_order_without_a_shipment_is_not_found(depot: Depot) -> None:
    order_id = new_order_id()
    for call in (
        depot.fulfilment.shipment(order_id),
        depot.ship(order_id),
        depot.fulfilment.deliver(order_id),
        depot.look(order_id),
    ):
        with pytest.raises(ShipmentNotFound):
            await call
