"""A buyer who has to act at the payment provider is shown where, for as long as it helps."""

from collections.abc import AsyncIterator

import pytest

from contracts.checkout import AwaitAction
from contracts.orders import OrderState, PaymentState
from tests.conftest import FreshDatabase
from tests.stores.orders_book import Book, open_book

URL = "https://psp.example/act/1"


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def waiting(book: Book) -> str:
    order_id = await book.placed()
    await book.orders.await_action(AwaitAction(order_id=order_id, action_url=URL))
    return order_id


async def shown(book: Book, order_id: str) -> tuple[str, str | None]:
    order = await book.orders.order(order_id)
    return order.payment_state, order.action_url


async def test_a_pending_order_shows_where_to_act(book: Book) -> None:
    order_id = await waiting(book)
    await book.orders.await_action(AwaitAction(order_id=order_id, action_url=URL))
    assert await shown(book, order_id) == (PaymentState.ACTION_REQUIRED, URL)
    assert await book.told(order_id) == ["order.placed"]


async def test_a_confirm_clears_it(book: Book) -> None:
    order_id = await waiting(book)
    await book.confirm(order_id)
    assert await shown(book, order_id) == (PaymentState.AUTHORIZED, None)
    await book.orders.await_action(AwaitAction(order_id=order_id, action_url=URL))
    assert await shown(book, order_id) == (PaymentState.AUTHORIZED, None)


async def test_an_undo_clears_it_for_good(book: Book) -> None:
    order_id = await waiting(book)
    await book.begin_undo(order_id)
    await book.orders.await_action(AwaitAction(order_id=order_id, action_url=URL))
    assert await shown(book, order_id) == (PaymentState.PENDING, None)
    await book.end_undone(order_id)
    assert await shown(book, order_id) == (PaymentState.NONE, None)
    assert (await book.orders.order(order_id)).state is OrderState.REJECTED
