"""What many callers at once may not bring about."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence

import pytest
from sqlalchemy import text

from contracts.errors import DomainError, FieldProblem
from services.inventory.errors import BelowReserved, OutOfStock
from tests.conftest import FreshDatabase
from tests.polling import until
from tests.stores.inventory_warehouse import Warehouse, new_order_id, open_warehouse

HELD = "held"

# What another transaction has done, but not committed yet.
_COUNTED = text("INSERT INTO stock (sku, on_hand, reserved, sequence) VALUES (:sku, :on_hand, 0, 1)")
_HELD = text("UPDATE stock SET reserved = reserved + :units, sequence = sequence + 1 WHERE sku = :sku")


@pytest.fixture(scope="module")
async def warehouse(fresh_database: FreshDatabase) -> AsyncIterator[Warehouse]:
    async with open_warehouse(fresh_database) as warehouse:
        yield warehouse


async def outcomes(calls: Iterable[Awaitable[None]]) -> Counter[str]:
    """How many calls succeeded, and how many were refused by which code; a bug is raised."""

    async def outcome(call: Awaitable[None]) -> str:
        try:
            await call
        except DomainError as refused:
            return refused.code
        return HELD

    return Counter(await asyncio.gather(*map(outcome, calls)))


async def test_two_hundred_buyers_of_fifty_units(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(50)
    counted = await outcomes(warehouse.reserve(new_order_id(), {sku: 1}) for _ in range(200))
    assert counted == {HELD: 50, OutOfStock.code: 150}
    stock = await warehouse.inventory.stock_of(sku)
    assert (stock.on_hand, stock.reserved) == (50, 50)
    events = await warehouse.events(sku)
    assert [event.sequence for event in events] == list(range(1, 52))
    assert [event.data["reserved"] for event in events] == list(range(51))


async def test_carts_in_opposite_order_do_not_deadlock(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(100), await warehouse.stocked(100)
    carts = [{one: 1, other: 1}, {other: 1, one: 1}] * 50
    assert await outcomes(warehouse.reserve(new_order_id(), cart) for cart in carts) == {HELD: 100}
    assert (await warehouse.reserved(one), await warehouse.reserved(other)) == (100, 100)


async def test_reserves_and_releases_of_shared_skus_do_not_deadlock(warehouse: Warehouse) -> None:
    one, other = await warehouse.stocked(100), await warehouse.stocked(100)
    orders = [new_order_id() for _ in range(40)]
    for order_id in orders:
        await warehouse.reserve(order_id, {other: 1, one: 1})
    releases = [warehouse.release(order_id) for order_id in orders]
    reserves = [warehouse.reserve(new_order_id(), {one: 1, other: 1}) for _ in orders]
    assert await outcomes([call for pair in zip(releases, reserves, strict=True) for call in pair]) == {
        HELD: 80
    }
    assert (await warehouse.reserved(one), await warehouse.reserved(other)) == (40, 40)


async def test_copies_of_one_reserve_hold_once(warehouse: Warehouse) -> None:
    sku, order_id = await warehouse.stocked(20), new_order_id()
    assert await outcomes(warehouse.reserve(order_id, {sku: 2}) for _ in range(20)) == {HELD: 20}
    assert await warehouse.reserved(sku) == 2


@pytest.mark.parametrize("release_first", [True, False])
async def test_a_release_that_races_its_reserve_leaves_nothing_held(
    warehouse: Warehouse, release_first: bool
) -> None:
    sku = await warehouse.stocked(100)

    def race(order_id: str) -> Sequence[Awaitable[None]]:
        calls = [warehouse.reserve(order_id, {sku: 1}), warehouse.release(order_id)]
        return calls[::-1] if release_first else calls

    orders = [new_order_id() for _ in range(50)]
    await outcomes(call for order_id in orders for call in race(order_id))
    assert await warehouse.reserved(sku) == 0
    late = await outcomes(warehouse.reserve(order_id, {sku: 1}) for order_id in orders)
    assert late == {"inventory.reservation_released": 50}


async def test_a_count_that_races_reserves_never_ends_below_them(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(20)

    async def count(on_hand: int) -> None:
        await warehouse.inventory.set_on_hand(sku, on_hand)

    reserves = [warehouse.reserve(new_order_id(), {sku: 1}) for _ in range(20)]
    counts = [count(on_hand) for on_hand in range(20)]
    await outcomes([call for pair in zip(reserves, counts, strict=True) for call in pair])
    stock = await warehouse.inventory.stock_of(sku)
    assert 0 <= stock.reserved <= stock.on_hand


async def test_adjustments_at_once_all_count(warehouse: Warehouse) -> None:
    sku = await warehouse.stocked(0)

    async def deliver() -> None:
        await warehouse.inventory.adjust(sku, 3, "a delivery")

    assert await outcomes(deliver() for _ in range(30)) == {HELD: 30}
    assert (await warehouse.inventory.stock_of(sku)).on_hand == 90


async def test_a_new_sku_counted_by_many_at_once_is_one_sku(warehouse: Warehouse) -> None:
    sku = f"NEW-{new_order_id()}"

    async def count() -> None:
        await warehouse.inventory.set_on_hand(sku, 7)

    assert await outcomes(count() for _ in range(10)) == {HELD: 10}
    events = await warehouse.events(sku)
    assert [event.sequence for event in events] == list(range(1, 11))


async def until_waiting(warehouse: Warehouse, transactions: int = 1) -> None:
    """Return once so many transactions of this database wait for a lock."""

    async def waiting() -> bool:
        async with warehouse.database.begin() as connection:
            found = await connection.scalar(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            )
        return bool(found == transactions)

    await until(waiting)


@pytest.mark.parametrize("on_hand", [5, 8])
async def test_a_first_count_that_finds_the_sku_counted_and_held_meanwhile_stands(
    warehouse: Warehouse, on_hand: int
) -> None:
    sku = f"NEW-{new_order_id()}"
    async with warehouse.database.begin() as meanwhile:
        await meanwhile.execute(_COUNTED, {"sku": sku, "on_hand": 10})
        count = asyncio.create_task(warehouse.inventory.set_on_hand(sku, on_hand))
        await until_waiting(warehouse)
        await meanwhile.execute(_HELD, {"sku": sku, "units": 5})
    stock = await count
    assert (stock.on_hand, stock.reserved, stock.sequence) == (on_hand, 5, 3)


async def test_a_first_count_below_what_was_held_meanwhile_is_refused(warehouse: Warehouse) -> None:
    sku = f"NEW-{new_order_id()}"
    async with warehouse.database.begin() as meanwhile:
        await meanwhile.execute(_COUNTED, {"sku": sku, "on_hand": 10})
        count = asyncio.create_task(warehouse.inventory.set_on_hand(sku, 4))
        await until_waiting(warehouse)
        await meanwhile.execute(_HELD, {"sku": sku, "units": 5})
    with pytest.raises(BelowReserved):
        await count
    stock = await warehouse.inventory.stock_of(sku)
    assert (stock.on_hand, stock.reserved, stock.sequence) == (10, 5, 2)


async def test_first_counts_that_race_a_reserve_are_answered_or_refused(warehouse: Warehouse) -> None:
    answers = {HELD, BelowReserved.code, OutOfStock.code}
    for _ in range(60):
        sku = f"NEW-{new_order_id()}"

        async def count(on_hand: int, sku: str = sku) -> None:
            await warehouse.inventory.set_on_hand(sku, on_hand)

        reserves = [warehouse.reserve(new_order_id(), {sku: 5}) for _ in range(4)]
        counts = [count(10), count(3), count(10), count(3)]
        counted = await outcomes([call for pair in zip(counts, reserves, strict=True) for call in pair])
        assert counted.keys() <= answers
        stock = await warehouse.inventory.stock_of(sku)
        events = await warehouse.events(sku)
        assert [event.sequence for event in events] == list(range(1, stock.sequence + 1))


async def test_a_sku_that_appears_while_a_cart_is_reserved_does_not_deadlock_it(warehouse: Warehouse) -> None:
    """The cart that came before the sku is refused; it does not hold on to a lock out of order."""
    fresh, sold = f"A-{new_order_id()}", await warehouse.stocked(5)
    early, late = new_order_id(), new_order_id()
    async with warehouse.database.begin() as meanwhile:
        await meanwhile.execute(_HELD, {"sku": sold, "units": 1})
        before = asyncio.create_task(warehouse.reserve(early, {fresh: 1, sold: 1}))
        await until_waiting(warehouse)
        await warehouse.inventory.set_on_hand(fresh, 5)
        after = asyncio.create_task(warehouse.reserve(late, {fresh: 1, sold: 1}))
        await until_waiting(warehouse, transactions=2)
    with pytest.raises(OutOfStock) as refused:
        await before
    assert refused.value.errors == (FieldProblem(at=fresh, message="1 wanted, 0 available"),)
    await after
    assert (await warehouse.reserved(fresh), await warehouse.reserved(sold)) == (1, 2)
