"""Carts' parking keeps what every parking promises."""

from collections.abc import AsyncIterator

import pytest

from contracts.errors import Unavailable
from services.carts.connection import connect
from services.carts.parking import CartsParking
from tests.conftest import Servers
from tests.ports import free_port
from tests.stores.carts_shop import PATIENCE_SECONDS
from tests.stores.parkings import check_lines_are_apart, check_order, check_repeats, check_the_largest


@pytest.fixture
async def parking(servers: Servers) -> AsyncIterator[CartsParking]:
    async with connect(servers.carts_redis_url, patience=PATIENCE_SECONDS) as redis:
        yield CartsParking(redis)


async def test_a_line_keeps_its_order(parking: CartsParking) -> None:
    await check_order(parking)


async def test_adding_and_removing_are_safe_to_repeat(parking: CartsParking) -> None:
    await check_repeats(parking)


async def test_the_largest_that_can_come_is_kept(parking: CartsParking) -> None:
    await check_the_largest(parking)


async def test_handlers_and_subjects_do_not_wait_for_one_another(parking: CartsParking) -> None:
    await check_lines_are_apart(parking)


async def test_a_store_that_is_down_is_an_outage() -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as redis:
        with pytest.raises(Unavailable):
            await CartsParking(redis).subjects()
