"""Which parcels somebody has to see to: those whose workflow may not know, or may not be there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest

from runtime.clock import utc_now
from tests.conftest import FreshDatabase
from tests.stores.fulfilment_depot import Depot, new_order_id, open_depot

NOW, LONG_AGO = timedelta(0), timedelta(hours=1)


@pytest.fixture(scope="module")
async def depot(fresh_database: FreshDatabase) -> AsyncIterator[Depot]:
    async with open_depot(fresh_database) as depot:
        yield depot


async def is_unattended(depot: Depot, order_id: str, *, hurry: timedelta, patrol: timedelta) -> bool:
    now = utc_now()
    found = await depot.fulfilment.unattended(hurried_before=now - hurry, patrolled_before=now - patrol)
    return order_id in {shipment.order_id for shipment in found}


@pytest.mark.parametrize("news", [Depot.opened, Depot.shipping, Depot.stopped, Depot.delivered])
async def test_news_that_its_workflow_has_not_looked_at(
    depot: Depot, news: Callable[[Depot], Awaitable[str]]
) -> None:
    order_id = await news(depot)
    assert await is_unattended(depot, order_id, hurry=NOW, patrol=LONG_AGO)
    assert not await is_unattended(depot, order_id, hurry=LONG_AGO, patrol=LONG_AGO)


@pytest.mark.parametrize("waiting", [Depot.opened, Depot.held, Depot.shipped])
async def test_a_parcel_that_waits_is_only_patrolled(
    depot: Depot, waiting: Callable[[Depot], Awaitable[str]]
) -> None:
    order_id = await waiting(depot)
    await depot.look(order_id)
    assert not await is_unattended(depot, order_id, hurry=NOW, patrol=LONG_AGO)
    assert await is_unattended(depot, order_id, hurry=LONG_AGO, patrol=NOW)


async def test_a_parcel_that_is_being_shipped_is_hurried(depot: Depot) -> None:
    order_id = await depot.shipping()
    await depot.look(order_id)
    assert await is_unattended(depot, order_id, hurry=NOW, patrol=LONG_AGO)


@pytest.mark.parametrize("final", [Depot.delivered, Depot.stopped])
async def test_a_parcel_whose_end_is_known_is_left_alone(
    depot: Depot, final: Callable[[Depot], Awaitable[str]]
) -> None:
    order_id = await final(depot)
    await depot.look(order_id)
    assert not await is_unattended(depot, order_id, hurry=NOW, patrol=NOW)


async def test_a_parcel_that_was_never_opened_needs_nobody(depot: Depot) -> None:
    order_id = new_order_id()
    await depot.stop(order_id)
    assert not await is_unattended(depot, order_id, hurry=NOW, patrol=NOW)


async def test_one_that_somebody_has_seen_to_waits_its_turn(depot: Depot) -> None:
    order_id = await depot.opened()
    await depot.fulfilment.attended([await depot.fulfilment.shipment(order_id)])
    assert not await is_unattended(depot, order_id, hurry=timedelta(minutes=1), patrol=LONG_AGO)
    assert await is_unattended(depot, order_id, hurry=NOW, patrol=LONG_AGO)
