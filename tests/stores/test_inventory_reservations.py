"""Reserving and releasing: all or nothing, once per order, never after a release."""

from collections.abc import AsyncIterator

import pytest

from contracts.errors import FieldProblem, Kind
from contracts.inventory import ReserveStock, StockLine
from services.inventory.errors import OutOfStock, ReservationReleased
from tests.conftest import FreshDatabase
from tests.stores.inventory_warehouse import Warehouse, new_order_id, open_warehouse


@pytest.fixture(scope="module")
async def warehouse(fresh_database: FreshDatabase) -> AsyncIterator[Warehouse]:
    async with open_warehouse(fresh_database) as warehouse:
        yield warehouse


async def test_a_reserve_holds_every_line(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(5), await warehouse.stocked(5)
    await warehouse.reserve(new_order_id(), {one: 2, other: 5})
    assert (await warehouse.inventory.stock_of(one)).available == 3
    assert (await warehouse.inventory.stock_of(other)).available == 0


async def test_a_reserve_with_one_short_line_holds_none(warehouse: Warehouse) -> None:
    plenty, scarce = await warehouse.stocked(5), await warehouse.stocked(1)
    with pytest.raises(OutOfStock):
        await warehouse.reserve(new_order_id(), {plenty: 2, scarce: 2})
    assert (await warehouse.reserved(plenty), await warehouse.reserved(scarce)) == (0, 0)


async def test_a_refusal_names_every_short_line_and_no_other(warehouse: Warehouse) -> None:
    plenty, scarce, unknown = await warehouse.stocked(9), await warehouse.stocked(3), "SKU-NOBODY-HAS"
    await warehouse.reserve(new_order_id(), {scarce: 2})
    with pytest.raises(OutOfStock) as refused:
        await warehouse.reserve(new_order_id(), {plenty: 9, scarce: 2, unknown: 4})
    assert set(refused.value.errors) == {
        FieldProblem(at=scarce, message="2 wanted, 1 available"),
        FieldProblem(at=unknown, message="4 wanted, 0 available"),
    }
    assert (refused.value.code, refused.value.kind) == ("inventory.out_of_stock", Kind.CONFLICT)


async def test_a_refused_order_may_be_sent_again_once_there_is_stock(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(1), new_order_id()
    with pytest.raises(OutOfStock):
        await warehouse.reserve(order_id, {sku: 2})
    await warehouse.inventory.adjust(sku, 1, "a delivery")
    await warehouse.reserve(order_id, {sku: 2})
    assert await warehouse.reserved(sku) == 2


async def test_an_order_reserved_twice_holds_once(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    for _ in range(2):
        await warehouse.reserve(order_id, {sku: 3})
    assert await warehouse.reserved(sku) == 3
    assert await warehouse.reasons(sku) == ["counted", "reserved"]


async def test_lines_of_one_sku_add_up(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(3)
    twice = ReserveStock(order_id=new_order_id(), lines=(StockLine(sku=sku, quantity=2),) * 2)
    with pytest.raises(OutOfStock) as refused:
        await warehouse.inventory.reserve(twice)
    assert refused.value.errors == (FieldProblem(at=sku, message="4 wanted, 3 available"),)


async def test_a_release_gives_back_what_the_order_holds_and_no_more(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(new_order_id(), {sku: 1})
    await warehouse.reserve(order_id, {sku: 3})
    for _ in range(2):
        await warehouse.release(order_id)
    assert await warehouse.reserved(sku) == 1
    assert await warehouse.reasons(sku) == ["counted", "reserved", "reserved", "released"]


@pytest.mark.parametrize("was_reserved", [True, False])
async def test_a_reserve_after_the_release_is_refused(warehouse: Warehouse, was_reserved: bool) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    if was_reserved:
        await warehouse.reserve(order_id, {sku: 1})
    await warehouse.release(order_id)
    with pytest.raises(ReservationReleased) as refused:
        await warehouse.reserve(order_id, {sku: 1})
    assert refused.value.code == "inventory.reservation_released"
    assert await warehouse.reserved(sku) == 0


async def test_the_release_of_a_refused_order_is_a_tombstone_too(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(1), new_order_id()
    with pytest.raises(OutOfStock):
        await warehouse.reserve(order_id, {sku: 2})
    await warehouse.release(order_id)
    with pytest.raises(ReservationReleased):
        await warehouse.reserve(order_id, {sku: 1})
