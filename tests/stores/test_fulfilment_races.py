"""A stop against a shipment: the row decides, once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable

import pytest

from contracts.errors import DomainError
from contracts.fulfilment import (
    SHIPMENT_OPENED,
    SHIPMENT_STOPPED,
    SHIPPING_REQUESTED,
    ShipmentState,
)
from services.fulfilment.errors import AlreadyShipping, WrongState
from tests.conftest import FreshDatabase
from tests.stores.fulfilment_depot import Depot, confirmed, new_order_id, open_depot

DONE = "done"


@pytest.fixture(scope="module")
async def depot(fresh_database: FreshDatabase) -> AsyncIterator[Depot]:
    async with open_depot(fresh_database) as depot:
        yield depot


async def outcome(call: Awaitable[object]) -> str:
    """That the call got through, or the code of its refusal."""
    try:
        await call
    except DomainError as refused:
        return refused.code
    return DONE


async def raced(depot: Depot, order_id: str, *, stop_first: bool) -> None:
    """One of the two gets through, the other is refused, and the row agrees."""
    calls = [outcome(depot.stop(order_id)), outcome(depot.ship(order_id))]
    answered = await asyncio.gather(*(calls if stop_first else calls[::-1]))
    stop, ship = answered if stop_first else answered[::-1]
    state = (await depot.fulfilment.shipment(order_id)).state
    assert (stop, ship, state) in {
        (DONE, WrongState.code, ShipmentState.STOPPED),
        (AlreadyShipping.code, DONE, ShipmentState.SHIPPING),
    }


async def test_a_stop_and_a_shipment_at_once_end_one_way_fifty_times(depot: Depot) -> None:
    orders = [await depot.opened() for _ in range(50)]
    await asyncio.gather(
        *(raced(depot, order_id, stop_first=bool(number % 2)) for number, order_id in enumerate(orders))
    )
    for order_id in orders:
        assert await depot.said(order_id) in (
            [SHIPMENT_OPENED, SHIPMENT_STOPPED],
            [SHIPMENT_OPENED, SHIPPING_REQUESTED],
        )


async def test_a_stop_that_races_the_opening_always_wins(depot: Depot) -> None:
    orders = [new_order_id() for _ in range(50)]
    calls: list[Awaitable[object]] = []
    for number, order_id in enumerate(orders):
        both: list[Awaitable[object]] = [
            depot.stop(order_id),
            depot.fulfilment.open_shipment(confirmed(order_id)),
        ]
        calls += both if number % 2 else both[::-1]
    await asyncio.gather(*calls)
    for order_id in orders:
        assert (await depot.fulfilment.shipment(order_id)).state is ShipmentState.STOPPED
        assert (await depot.said(order_id))[-1] == SHIPMENT_STOPPED


async def test_copies_of_one_confirmation_open_once(depot: Depot) -> None:
    heard = confirmed(new_order_id())
    await asyncio.gather(*(depot.fulfilment.open_shipment(heard) for _ in range(20)))
    assert await depot.said(heard.subject) == [SHIPMENT_OPENED]
