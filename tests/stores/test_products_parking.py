"""Products' parking keeps what every parking promises."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from services.products.factory import migrate, open_parking
from services.products.parking import ProductsParking
from tests.conftest import Servers
from tests.products_samples import catalog_settings
from tests.stores.parkings import (
    check_lines_are_apart,
    check_order,
    check_repeats,
    check_the_largest,
    new_subject,
    parked,
)


@pytest.fixture
async def parking(servers: Servers) -> AsyncIterator[ProductsParking]:
    settings = catalog_settings(servers.mongo_url)
    await migrate(settings)
    async with open_parking(settings) as opened:
        yield opened


async def test_a_line_keeps_its_order(parking: ProductsParking) -> None:
    await check_order(parking)


async def test_adding_and_removing_are_safe_to_repeat(parking: ProductsParking) -> None:
    await check_repeats(parking)


async def test_the_largest_that_can_come_is_kept(parking: ProductsParking) -> None:
    await check_the_largest(parking)


async def test_handlers_and_subjects_do_not_wait_for_one_another(parking: ProductsParking) -> None:
    await check_lines_are_apart(parking)


async def test_many_that_join_at_once_all_have_a_place(parking: ProductsParking) -> None:
    subject = new_subject()
    joining = [parked(subject, number) for number in range(20)]
    await asyncio.gather(*(parking.add(each) for each in joining))
    left = []
    while (first := await parking.first("test.follow", subject)) is not None:
        left.append(first.event_id)
        await parking.remove(first)
    assert sorted(left) == sorted(each.event_id for each in joining)
