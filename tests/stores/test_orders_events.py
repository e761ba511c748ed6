"""What the outbox says of an order, and what it never says."""

from collections.abc import AsyncIterator

import pytest

from contracts.inventory import StockLine
from contracts.orders import (
    ORDER_CANCELLED,
    ORDER_CONFIRMED,
    ORDER_PLACED,
    ORDER_REJECTED,
    OrderChanged,
    OrderState,
)
from services.orders.errors import CheckoutCalledOff
from tests.conftest import FreshDatabase
from tests.orders_samples import ADDRESS, EMAIL, NOON, euros, new_order, order_line
from tests.stores.orders_book import Book, open_book


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


@pytest.mark.parametrize("end", [ORDER_CONFIRMED, ORDER_REJECTED, ORDER_CANCELLED])
async def test_a_checkout_is_told_in_two_facts(book: Book, end: str) -> None:
    order_id = await book.placed()
    match end:
        case "order.confirmed":
            await book.confirm(order_id)
            await book.close(order_id)
        case "order.rejected":
            await book.undone(order_id)
        case "order.cancelled":
            await book.orders.cancel_checkout(order_id)
            await book.end_undone(order_id)
    events = await book.events(order_id)
    assert [(event.type, event.sequence) for event in events] == [(ORDER_PLACED, 1), (end, 2)]
    assert {event.source for event in events} == {"/micromart/order"}


async def test_a_fact_carries_all_of_the_order_that_others_may_know(book: Book) -> None:
    order = new_order(lines=(order_line("MUG", 2), order_line("POT", 1, euros(700))), total=euros(1700))
    await book.add(order)
    await book.undone(order.id)
    placed, rejected = await book.events(order.id)
    told = OrderChanged(
        order_id=order.id,
        customer_id=order.customer_id,
        cart_ref=order.cart_ref,
        generation=0,
        lines=(StockLine(sku="MUG", quantity=2), StockLine(sku="POT", quantity=1)),
        total=euros(1700),
        state=OrderState.PENDING,
        placed_at=NOON,
    )
    assert OrderChanged.model_validate(placed.data) == told
    assert OrderChanged.model_validate(rejected.data) == told.model_copy(
        update={"state": OrderState.REJECTED, "reason": "payments.declined"}
    )


async def test_neither_mail_nor_address_nor_token_is_told(book: Book) -> None:
    order_id = await book.placed(payment_token="tok_secret")
    await book.confirm(order_id)
    told = "".join(event.model_dump_json() for event in await book.events(order_id))
    private = [EMAIL, ADDRESS.name, ADDRESS.line1, ADDRESS.city, "tok_secret"]
    assert [secret for secret in private if secret in told] == []


async def test_what_was_refused_is_not_told(book: Book) -> None:
    order_id = await book.placed()
    await book.begin_undo(order_id)
    with pytest.raises(CheckoutCalledOff):
        await book.confirm(order_id)
    twin = new_order(cart_ref=(await book.orders.order(order_id)).cart_ref)
    assert not await book.add(twin)
    assert [event.type for event in await book.events(order_id)] == [ORDER_PLACED]
    assert await book.events(twin.id) == []
