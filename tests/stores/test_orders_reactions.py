"""An order's row follows parcel and money: twice, out of order, at once, the result is the same."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from sqlalchemy import text

from contracts.checkout import EXPIRED
from contracts.fulfilment import ShipmentState
from contracts.orders import OrderState, PaymentState
from contracts.payments import (
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURE_FAILED,
    PAYMENT_CAPTURED,
    PAYMENT_REFUNDED,
    PAYMENT_VOIDED,
)
from services.orders.errors import OrderNotFound
from tests.conftest import FreshDatabase
from tests.stores.orders_book import Book, open_book

STARTED = ["order.placed", "order.confirmed"]


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def test_a_parcel_and_its_money_lead_an_order_to_its_end(book: Book) -> None:
    order_id = await book.confirmed()
    await book.hear_shipment(order_id, ShipmentState.OPEN, 1)
    await book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000)
    await book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    await book.hear_shipment(order_id, ShipmentState.DELIVERED, 3)
    order = await book.orders.order(order_id)
    assert (order.state, order.payment_state, order.fulfilment_state) == ("completed", "paid", "delivered")
    assert (order.captured, order.refunded) == (1000, 0)
    events = await book.events(order_id)
    assert [event.type for event in events] == [
        *STARTED,
        "order.shipped",
        "order.delivered",
        "order.completed",
    ]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]


async def test_money_that_is_heard_of_last_completes_a_delivered_order(book: Book) -> None:
    order_id = await book.confirmed()
    await book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    await book.hear_shipment(order_id, ShipmentState.DELIVERED, 3)
    assert (await book.orders.order(order_id)).state is OrderState.DELIVERED
    await book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000)
    assert (await book.orders.order(order_id)).state is OrderState.COMPLETED


async def test_an_order_whose_shipment_is_heard_of_late_tells_of_every_step(book: Book) -> None:
    order_id = await book.confirmed()
    await book.hear_shipment(order_id, ShipmentState.DELIVERED, 3)
    await book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    assert await book.told(order_id) == [*STARTED, "order.shipped", "order.delivered"]
    assert (await book.orders.order(order_id)).fulfilment_state == "delivered"


async def test_the_same_event_has_its_effect_once(book: Book) -> None:
    order_id, event_id = await book.confirmed(), uuid4()
    await asyncio.gather(
        *(book.hear_shipment(order_id, ShipmentState.SHIPPED, 2, event_id=event_id) for _ in range(5))
    )
    assert await book.told(order_id) == [*STARTED, "order.shipped"]


async def test_the_same_fact_under_two_ids_has_its_effect_once(book: Book) -> None:
    order_id = await book.confirmed()
    for _ in range(2):
        await book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    assert await book.told(order_id) == [*STARTED, "order.shipped"]


async def test_an_older_fact_about_money_changes_nothing(book: Book) -> None:
    order_id = await book.confirmed()
    await book.hear_payment(order_id, PAYMENT_REFUNDED, 4, captured=1000, refunded=300)
    await book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000)
    order = await book.orders.order(order_id)
    assert (order.payment_state, order.refunded) == (PaymentState.PARTIALLY_REFUNDED, 300)


async def test_a_capture_that_failed_is_shown_until_one_succeeds(book: Book) -> None:
    order_id = await book.confirmed()
    await book.hear_payment(order_id, PAYMENT_CAPTURE_FAILED, 2)
    assert (await book.orders.order(order_id)).payment_state == PaymentState.CAPTURE_FAILED
    await book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000)
    assert (await book.orders.order(order_id)).payment_state == PaymentState.PAID


@pytest.mark.parametrize("heard_first", [True, False])
async def test_an_undone_checkout_has_no_payment_whenever_its_void_is_heard_of(
    book: Book, heard_first: bool
) -> None:
    order_id = await book.placed()
    await book.hear_payment(order_id, PAYMENT_AUTHORIZED, 1)
    assert (await book.orders.order(order_id)).payment_state == PaymentState.PENDING
    await book.begin_undo(order_id, EXPIRED)
    if heard_first:
        await book.hear_payment(order_id, PAYMENT_VOIDED, 3)
    await book.end_undone(order_id)
    if not heard_first:
        await book.hear_payment(order_id, PAYMENT_VOIDED, 3)
    assert (await book.orders.order(order_id)).payment_state == PaymentState.NONE


async def test_parcel_and_money_heard_of_at_once_lose_nothing(book: Book) -> None:
    orders = [await book.confirmed() for _ in range(20)]
    await asyncio.gather(
        *(book.hear_shipment(order_id, ShipmentState.DELIVERED, 3) for order_id in orders),
        *(book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000) for order_id in orders),
    )
    ends = [(await book.orders.order(order_id)) for order_id in orders]
    assert {(order.state, order.payment_state) for order in ends} == {("completed", "paid")}


async def test_what_could_not_be_reacted_to_is_not_taken_for_done(book: Book) -> None:
    event_id = uuid4()
    with pytest.raises(OrderNotFound):
        await book.hear_shipment("nobody's", ShipmentState.OPEN, 1, event_id=event_id)
    async with book.database.begin() as connection:
        noted = await connection.scalar(
            text("SELECT count(*) FROM inbox WHERE event_id = :id"), {"id": event_id}
        )
    assert noted == 0
