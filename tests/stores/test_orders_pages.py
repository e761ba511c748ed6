"""Lists of orders, page after page: nothing twice, nothing left out."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from contracts.orders import OrderState
from services.orders.order import Order
from tests.conftest import FreshDatabase
from tests.orders_samples import NOON, new_order
from tests.stores.orders_book import Book, open_book

# Several orders share each moment, so that a page can end among them.
MOMENTS = [NOON - timedelta(minutes=minutes) for minutes in (1, 2, 2, 2, 3, 3, 4)]


@pytest.fixture
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def placed_over_time(book: Book, customer: str) -> list[Order]:
    orders = [new_order(customer_id=customer, created_at=moment) for moment in MOMENTS]
    for order in orders:
        assert await book.add(order)
    return orders


def age(order: Order) -> tuple[datetime, str]:
    return order.created_at, order.id


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_join_to_the_whole_list_newest_first(book: Book, limit: int) -> None:
    orders = await placed_over_time(book, "ada")
    seen: list[Order] = []
    while page := await book.orders.orders(after=age(seen[-1]) if seen else None, limit=limit):
        assert len(page) <= limit
        seen += page
    assert seen == sorted(orders, key=age, reverse=True)


async def test_an_order_placed_meanwhile_moves_no_other_to_the_next_page(book: Book) -> None:
    orders = sorted(await placed_over_time(book, "ada"), key=age, reverse=True)
    first = await book.orders.orders(limit=3)
    await book.placed(created_at=NOON)
    assert first + await book.orders.orders(after=age(first[-1]), limit=100) == orders


async def test_a_customer_sees_only_their_own(book: Book) -> None:
    ada, bob = await placed_over_time(book, "ada"), await placed_over_time(book, "bob")
    seen = await book.orders.orders(customer_id="ada", limit=100)
    assert {order.id for order in seen} == {order.id for order in ada}.difference(order.id for order in bob)


async def test_orders_are_found_by_their_states(book: Book) -> None:
    pending, confirmed, rejected = [await book.placed() for _ in range(3)]
    await book.confirm(confirmed)
    await book.undone(rejected)

    async def found(*states: OrderState) -> set[str]:
        return {order.id for order in await book.orders.orders(states=states, limit=100)}

    assert await found(OrderState.CONFIRMED) == {confirmed}
    assert await found(OrderState.PENDING, OrderState.REJECTED) == {pending, rejected}
    assert await found() == {pending, confirmed, rejected}


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_unfinished_checkouts_are_paged_oldest_first(book: Book, limit: int) -> None:
    orders = await placed_over_time(book, uuid4().hex)
    seen: list[Order] = []
    while page := await book.orders.unfinished(
        older_than=timedelta(seconds=90), after=age(seen[-1]) if seen else None, limit=limit
    ):
        assert len(page) <= limit
        seen += page
    old_enough = [order for order in orders if order.created_at < NOON - timedelta(seconds=90)]
    assert seen == sorted(old_enough, key=age)


async def test_a_checkout_is_unfinished_until_it_is_closed_or_undone(book: Book) -> None:
    pending, confirmed, closed, cancelling, undone = [
        await book.placed(created_at=NOON - timedelta(hours=1)) for _ in range(5)
    ]
    for order_id in (confirmed, closed):
        await book.confirm(order_id)
    await book.close(closed)
    await book.begin_undo(cancelling)
    await book.undone(undone)
    found = await book.orders.unfinished(older_than=timedelta(0))
    assert {order.id for order in found} == {pending, confirmed, cancelling}
