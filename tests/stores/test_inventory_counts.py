"""Counting and adjusting, the last guard in the table, and what the outbox says of it all."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from contracts.errors import Kind
from contracts.inventory import STOCK_CHANGED, StockChanged
from services.inventory.errors import BelowReserved, OutOfStock, UnknownSku
from tests.conftest import FreshDatabase
from tests.stores.inventory_warehouse import Warehouse, new_order_id, open_warehouse


@pytest.fixture(scope="module")
async def warehouse(fresh_database: FreshDatabase) -> AsyncIterator[Warehouse]:
    async with open_warehouse(fresh_database) as warehouse:
        yield warehouse


async def test_a_count_replaces_what_was_on_hand(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(5)
    stock = await warehouse.inventory.set_on_hand(sku, 2)
    assert (stock.on_hand, stock.available) == (2, 2)
    assert await warehouse.inventory.stock_of(sku) == stock


async def test_an_adjustment_adds_to_what_was_on_hand(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(5)
    await warehouse.inventory.adjust(sku, 4, "a delivery")
    assert (await warehouse.inventory.adjust(sku, -2, "breakage")).on_hand == 7


async def test_stock_may_fall_to_what_is_held(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(5)
    await warehouse.reserve(new_order_id(), {sku: 3})
    assert (await warehouse.inventory.adjust(sku, -2, "breakage")).available == 0
    assert (await warehouse.inventory.set_on_hand(sku, 3)).available == 0


@pytest.mark.parametrize("held", [0, 3])
async def test_stock_may_not_fall_below_what_is_held(warehouse: Warehouse, held: int) -> None:
    sku = await warehouse.stocked(5)
    if held:
        await warehouse.reserve(new_order_id(), {sku: held})
    before = await warehouse.inventory.stock_of(sku)
    with pytest.raises(BelowReserved) as refused:
        await warehouse.inventory.adjust(sku, held - 6, "breakage")
    with pytest.raises(BelowReserved):
        await warehouse.inventory.set_on_hand(sku, held - 1)
    assert (refused.value.code, refused.value.kind) == ("inventory.below_reserved", Kind.CONFLICT)
    assert await warehouse.inventory.stock_of(sku) == before


async def test_an_unknown_sku_is_neither_shown_nor_adjusted(warehouse: Warehouse) -> None:
    with pytest.raises(UnknownSku):
        await warehouse.inventory.stock_of("SKU-NOBODY-HAS")
    with pytest.raises(UnknownSku):
        await warehouse.inventory.adjust("SKU-NOBODY-HAS", 1, "a delivery")


async def test_many_are_asked_at_once_and_unknown_ones_are_left_out(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(1), await warehouse.stocked(2)
    found = await warehouse.inventory.stock_of_many([one, "SKU-NOBODY-HAS", other])
    assert {sku: stock.available for sku, stock in found.items()} == {one: 1, other: 2}


@pytest.mark.parametrize("change", ["reserved = on_hand + 1", "reserved = -1", "on_hand = -1"])
async def test_the_table_itself_refuses_an_oversold_row(warehouse: Warehouse, change: str) -> None:
    sku = await warehouse.stocked(5)
    with pytest.raises(IntegrityError, match="stock_not_oversold"):
        async with warehouse.database.begin() as connection:
            await connection.execute(text(f"UPDATE stock SET {change} WHERE sku = :sku"), {"sku": sku})


async def test_every_change_is_told_once_with_all_of_the_stock(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.reserve(order_id, {sku: 2})
    await warehouse.release(order_id)
    await warehouse.inventory.adjust(sku, -1, "breakage")
    events = await warehouse.events(sku)
    assert [StockChanged.model_validate(event.data) for event in events] == [
        StockChanged(sku=sku, on_hand=5, reserved=0, available=5, reason="counted"),
        StockChanged(sku=sku, on_hand=5, reserved=2, available=3, reason="reserved"),
        StockChanged(sku=sku, on_hand=5, reserved=0, available=5, reason="released"),
        StockChanged(sku=sku, on_hand=4, reserved=0, available=4, reason="breakage"),
    ]
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    assert {(event.type, event.source) for event in events} == {(STOCK_CHANGED, "/micromart/inventory")}
    assert len({event.id for event in events}) == 4


async def test_a_reserve_of_two_skus_tells_of_each(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(5), await warehouse.stocked(5)
    await warehouse.reserve(new_order_id(), {one: 1, other: 2})
    assert await warehouse.reasons(one) == await warehouse.reasons(other) == ["counted", "reserved"]


async def test_what_was_refused_is_not_told(warehouse: Warehouse) -> None:
    plenty, scarce = await warehouse.stocked(5), await warehouse.stocked(1)
    with pytest.raises(OutOfStock):
        await warehouse.reserve(new_order_id(), {plenty: 1, scarce: 2})
    with pytest.raises(BelowReserved):
        await warehouse.inventory.adjust(scarce, -2, "breakage")
    with pytest.raises(BelowReserved):
        await warehouse.inventory.set_on_hand(scarce, -1)
    assert await warehouse.reasons(plenty) == await warehouse.reasons(scarce) == ["counted"]


async def test_the_release_of_nothing_is_not_told(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(5), new_order_id()
    await warehouse.release(order_id)
    assert await warehouse.reasons(sku) == ["counted"]
