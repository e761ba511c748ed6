"""Taking what an order holds: once, only what is held, and never given back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.errors import DomainError
from contracts.inventory import TakeStock
from services.inventory.errors import AlreadyTaken, ReservationReleased, UnknownReservation
from tests.conftest import FreshDatabase
from tests.stores.inventory_warehouse import Warehouse, new_order_id, open_warehouse


@pytest.fixture(scope="module")
async def warehouse(fresh_database: FreshDatabase) -> AsyncIterator[Warehouse]:
    async with open_warehouse(fresh_database) as warehouse:
        yield warehouse


async def take(warehouse: Warehouse, order_id: str) -> None:
    await warehouse.inventory.take(TakeStock(order_id=order_id))


async def counts(warehouse: Warehouse, sku: str) -> tuple[int, int]:
    stock = await warehouse.inventory.stock_of(sku)
    return stock.on_hand, stock.reserved


async def test_what_an_order_holds_leaves_the_building_once(warehouse: Warehouse) -> None:
    one, other, order_id = await warehouse.stocked(5), await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(new_order_id(), {one: 1})
    await warehouse.reserve(order_id, {one: 3, other: 5})
    for _ in range(2):
        await take(warehouse, order_id)
    assert await counts(warehouse, one) == (2, 1)
    assert await counts(warehouse, other) == (0, 0)
    assert (await warehouse.reasons(one))[-1] == "shipped"
    assert (await warehouse.reasons(one)).count("shipped") == 1


async def test_what_can_be_had_is_not_changed_by_it(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(order_id, {sku: 2})
    await take(warehouse, order_id)
    assert [event.data["available"] for event in await warehouse.events(sku)] == [5, 3, 3]


async def test_what_was_taken_is_not_given_back(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(order_id, {sku: 2})
    await take(warehouse, order_id)
    with pytest.raises(AlreadyTaken) as refused:
        await warehouse.release(order_id)
    assert refused.value.code == "inventory.already_taken"
    assert await counts(warehouse, sku) == (3, 0)


async def test_a_late_copy_of_the_reserve_holds_nothing_again(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(order_id, {sku: 2})
    await take(warehouse, order_id)
    await warehouse.reserve(order_id, {sku: 2})
    assert await counts(warehouse, sku) == (3, 0)


async def test_what_was_given_back_is_not_taken(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(order_id, {sku: 2})
    await warehouse.release(order_id)
    with pytest.raises(ReservationReleased):
        await take(warehouse, order_id)
    assert await counts(warehouse, sku) == (5, 0)


async def test_an_order_that_never_held_anything_takes_nothing(warehouse: Warehouse) -> None:
    with pytest.raises(UnknownReservation) as refused:
        await take(warehouse, new_order_id())
    assert refused.value.code == "inventory.unknown_reservation"


async def test_a_take_that_races_a_release_ends_one_way(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(100), await warehouse.stocked(100)

    async def outcome(order_id: str, *, release_first: bool) -> str:
        calls = [take(warehouse, order_id), warehouse.release(order_id)]
        answers = await asyncio.gather(*(calls[::-1] if release_first else calls), return_exceptions=True)
        refused = [answer for answer in answers if answer is not None]
        assert len(refused) == 1
        assert isinstance(refused[0], DomainError)
        return refused[0].code

    orders = [new_order_id() for _ in range(50)]
    for number, order_id in enumerate(orders):
        await warehouse.reserve(order_id, {one: 1, other: 1} if number % 2 else {other: 1, one: 1})
    answered = await asyncio.gather(
        *(outcome(order_id, release_first=bool(number % 2)) for number, order_id in enumerate(orders))
    )
    taken = answered.count(AlreadyTaken.code)
    assert taken + answered.count(ReservationReleased.code) == 50
    assert await counts(warehouse, one) == await counts(warehouse, other) == (100 - taken, 0)
