"""Cancelling an order: the row says what may still be cancelled, and how it ended."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.checkout import CANCELLED, CheckoutState, workflow_id_of
from contracts.errors import DomainError, Kind, Refusal
from contracts.fulfilment import ShipmentState
from contracts.orders import CancellationState, OrderState, PaymentState, cancellation_id_of
from contracts.payments import PAYMENT_CAPTURED, PAYMENT_REFUNDED, PAYMENT_VOIDED
from services.orders.errors import AlreadyConfirmed, AlreadyShipped, CancellationRefused, NeedsNoOperator
from services.orders.order import CANCELLED_ON_REQUEST
from tests.conftest import FreshDatabase
from tests.orders_samples import NOON, new_order
from tests.stores.orders_book import Book, open_book

SHIPPING = Refusal(code="fulfilment.already_shipping", kind=Kind.CONFLICT, detail="too late")


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def test_a_pending_order_is_called_off_as_its_checkout_is(book: Book) -> None:
    order_id = await book.placed()
    for _ in range(2):
        order = await book.changes.request_cancellation(order_id)
        assert (order.state, order.refusal) == (OrderState.CANCELLING, CANCELLED)
    await book.end_undone(order_id)
    ended = await book.changes.request_cancellation(order_id)
    assert (ended.state, ended.cancellation_state) == (OrderState.CANCELLED, None)


async def test_a_confirmed_order_is_asked_for_and_goes_on_until_it_is_decided(book: Book) -> None:
    order_id = await book.confirmed()
    for _ in range(2):
        order = await book.changes.request_cancellation(order_id)
        assert (order.state, order.cancellation_state) == ("confirmed", CancellationState.REQUESTED)
    assert await book.told(order_id) == ["order.placed", "order.confirmed"]


async def test_a_cancellation_ends_once_and_tells_why(book: Book) -> None:
    order_id = await book.confirmed()
    await book.changes.request_cancellation(order_id)
    for _ in range(2):
        await book.finish_cancellation(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.cancellation_state) == (OrderState.CANCELLED, CancellationState.DONE)
    assert order.payment_state == PaymentState.VOIDED
    events = await book.events(order_id)
    assert [event.type for event in events] == ["order.placed", "order.confirmed", "order.cancelled"]
    assert events[-1].data["reason"] == CANCELLED_ON_REQUEST
    again = await book.changes.request_cancellation(order_id)
    assert again.cancellation_state is CancellationState.DONE


async def test_money_that_was_taken_before_the_cancellation_is_shown_as_refunded(book: Book) -> None:
    order_id = await book.paid()
    await book.changes.request_cancellation(order_id)
    await book.finish_cancellation(order_id)
    assert (await book.orders.order(order_id)).payment_state == PaymentState.REFUNDED


async def test_what_is_heard_behind_a_cancellation_ends_at_the_same_state(book: Book) -> None:
    order_id = await book.cancelled()
    await book.hear_payment(order_id, PAYMENT_CAPTURED, 3, captured=1000)
    await book.hear_payment(order_id, PAYMENT_REFUNDED, 4, captured=1000, refunded=1000)
    await book.hear_shipment(order_id, ShipmentState.STOPPED, 2)
    order = await book.orders.order(order_id)
    assert (order.state, order.payment_state) == (OrderState.CANCELLED, PaymentState.REFUNDED)
    assert order.fulfilment_state == "stopped"


async def test_a_void_that_is_heard_before_the_end_of_a_cancellation_does_not_disturb_it(book: Book) -> None:
    order_id = await book.confirmed()
    await book.changes.request_cancellation(order_id)
    await book.hear_payment(order_id, PAYMENT_VOIDED, 2)
    await book.finish_cancellation(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.payment_state) == (OrderState.CANCELLED, PaymentState.VOIDED)


async def test_a_refused_cancellation_is_final_and_the_order_goes_on(book: Book) -> None:
    order_id = await book.confirmed()
    await book.changes.request_cancellation(order_id)
    for _ in range(2):
        await book.refuse_cancellation(order_id, SHIPPING)
    order = await book.orders.order(order_id)
    assert (order.state, order.cancellation_state) == (OrderState.CONFIRMED, CancellationState.REFUSED)
    assert order.cancellation_reason == "fulfilment.already_shipping"
    with pytest.raises(CancellationRefused):
        await book.changes.request_cancellation(order_id)
    await book.finish_cancellation(order_id)
    assert (await book.orders.order(order_id)).state is OrderState.CONFIRMED
    await book.hear_shipment(order_id, ShipmentState.SHIPPED, 2)
    with pytest.raises(AlreadyShipped):
        await book.changes.request_cancellation(order_id)


async def refused_and_held(book: Book) -> str:
    """An order whose parcel was being shipped when it was to be stopped, and is held by now."""
    order_id = await book.confirmed()
    await book.changes.request_cancellation(order_id)
    await book.refuse_cancellation(order_id, SHIPPING)
    await book.hear_shipment(order_id, ShipmentState.HELD, 3)
    return order_id


async def test_a_refused_cancellation_is_asked_for_again_while_the_parcel_is_held(book: Book) -> None:
    order_id = await refused_and_held(book)
    for _ in range(2):
        order = await book.changes.request_cancellation(order_id)
        assert (order.cancellation_state, order.cancellation_reason) == (CancellationState.REQUESTED, None)
        assert order.cancellation().workflow_id == f"cancel-{order_id}-2"
    assert order == await book.orders.order(order_id)
    await book.call_operator(order_id, "it keeps failing")
    assert await book.changes.workflows_in_need(order_id) == [f"cancel-{order_id}-2"]
    await book.finish_cancellation(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.cancellation_state) == (OrderState.CANCELLED, CancellationState.DONE)


async def test_a_late_refusal_of_the_first_attempt_does_not_refuse_the_second(book: Book) -> None:
    order_id = await refused_and_held(book)
    asked = await book.changes.request_cancellation(order_id)
    await book.refuse_cancellation(order_id, SHIPPING)
    assert await book.orders.order(order_id) == asked
    await book.refuse_cancellation(order_id, SHIPPING, attempt=2)
    refused = await book.orders.order(order_id)
    assert refused.cancellation_state is CancellationState.REFUSED
    assert refused.cancellation_reason == "fulfilment.already_shipping"


async def test_a_parcel_that_is_shipped_again_cannot_be_stopped_again(book: Book) -> None:
    order_id = await refused_and_held(book)
    await book.hear_shipment(order_id, ShipmentState.SHIPPING, 4)
    with pytest.raises(CancellationRefused):
        await book.changes.request_cancellation(order_id)


async def test_nobody_asked_so_nothing_is_cancelled(book: Book) -> None:
    order_id = await book.confirmed()
    await book.finish_cancellation(order_id)
    await book.refuse_cancellation(order_id, SHIPPING)
    order = await book.orders.order(order_id)
    assert (order.state, order.cancellation_state) == (OrderState.CONFIRMED, None)


async def test_requests_at_once_are_one_request(book: Book) -> None:
    order_id = await book.confirmed()
    orders = await asyncio.gather(*(book.changes.request_cancellation(order_id) for _ in range(10)))
    assert {order.cancellation_state for order in orders} == {CancellationState.REQUESTED}


async def test_a_cancel_that_races_a_confirm_is_for_the_checkout_or_for_the_order(book: Book) -> None:
    orders = [await book.placed() for _ in range(40)]

    async def race(order_id: str, number: int) -> None:
        calls = [book.confirm(order_id), book.changes.request_cancellation(order_id)]
        ends = await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)
        assert all(not isinstance(end, BaseException) or isinstance(end, DomainError) for end in ends)
        order = await book.orders.order(order_id)
        assert (order.state, order.cancellation_state) in {
            (OrderState.CANCELLING, None),
            (OrderState.CONFIRMED, CancellationState.REQUESTED),
        }

    await asyncio.gather(*(race(order_id, number) for number, order_id in enumerate(orders)))


async def test_a_cancel_that_races_a_shipment_never_ends_in_both(book: Book) -> None:
    orders = [await book.confirmed() for _ in range(40)]

    async def race(order_id: str, number: int) -> None:
        calls = [
            book.hear_shipment(order_id, ShipmentState.SHIPPED, 2),
            book.changes.request_cancellation(order_id),
        ]
        ends = await asyncio.gather(*(calls if number % 2 else calls[::-1]), return_exceptions=True)
        order = await book.orders.order(order_id)
        assert order.state is OrderState.SHIPPED
        refused = [end for end in ends if isinstance(end, AlreadyShipped)]
        assert bool(refused) is (order.cancellation_state is None)

    await asyncio.gather(*(race(order_id, number) for number, order_id in enumerate(orders)))


async def test_a_checkout_that_went_well_is_not_undone_after_its_order_was_cancelled(book: Book) -> None:
    order_id = await book.cancelled()
    assert (await book.begin_undo(order_id)).confirmed
    await book.confirm(order_id)
    with pytest.raises(AlreadyConfirmed):
        await book.orders.cancel_checkout(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.checkout_state) == (OrderState.CANCELLED, CheckoutState.CONFIRMED)


async def test_a_cancelled_order_frees_its_cart_for_one_other(book: Book) -> None:
    order_id = await book.cancelled()
    cart_ref = (await book.orders.order(order_id)).cart_ref
    assert await book.add(new_order(cart_ref=cart_ref))
    assert not await book.add(new_order(cart_ref=cart_ref))


async def test_an_operator_is_pointed_to_the_workflow_that_waits(book: Book) -> None:
    undone, cancelled = await book.placed(), await book.confirmed()
    await book.begin_undo(undone)
    await book.changes.request_cancellation(cancelled)
    for order_id in (undone, cancelled):
        with pytest.raises(NeedsNoOperator):
            await book.changes.workflows_in_need(order_id)
        await book.call_operator(order_id, "it keeps failing")
    assert await book.changes.workflows_in_need(undone) == [workflow_id_of(undone)]
    assert await book.changes.workflows_in_need(cancelled) == [cancellation_id_of(cancelled)]
    await book.end_undone(undone)
    await book.finish_cancellation(cancelled)
    for order_id in (undone, cancelled):
        with pytest.raises(NeedsNoOperator):
            await book.changes.workflows_in_need(order_id)


async def test_cancellations_that_wait_are_found_page_by_page(fresh_database: FreshDatabase) -> None:
    async with open_book(fresh_database) as book:
        asked = [await book.confirmed(created_at=NOON - timedelta(minutes=minute)) for minute in range(5)]
        for order_id in asked:
            await book.changes.request_cancellation(order_id)
        await book.confirmed()
        await book.finish_cancellation(asked[0])
        await book.refuse_cancellation(asked[1], SHIPPING)
        found: list[str] = []
        after = None
        while page := await book.changes.cancellations_to_make(
            older_than=-timedelta(seconds=1), after=after, limit=2
        ):
            found += [order.id for order in page]
            after = (page[-1].created_at, page[-1].id)
        assert found == asked[:1:-1]
        assert await book.changes.cancellations_to_make(older_than=timedelta(0)) == []
