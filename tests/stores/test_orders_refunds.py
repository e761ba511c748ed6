"""Refunds: never more than was captured, whoever asks at once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from contracts.errors import Kind, Refusal
from contracts.orders import RefundState, SettleRefund
from contracts.payments import PAYMENT_REFUNDED
from services.orders.errors import IdempotencyMismatch, OrderNotFound, RefundExceedsCapture, UnknownRefund
from services.orders.refund import Refund
from tests.conftest import FreshDatabase
from tests.orders_samples import NOON, euros
from tests.stores.orders_book import Book, open_book

NO = Refusal(code="payments.refund_exceeds_capture", kind=Kind.CONFLICT, detail="no")


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def test_a_refund_is_written_down_with_who_asked_and_why(book: Book) -> None:
    order_id = await book.paid()
    refund = await book.refund(order_id, 300)
    assert await book.changes.refunds_of(order_id) == [refund]
    assert (refund.amount, refund.reason, refund.requested_by) == (euros(300), "broken", "staff-1")
    assert (refund.state, refund.created_at, refund.settled_at) == (RefundState.REQUESTED, NOON, None)


async def test_parts_add_up_to_what_was_captured_and_no_further(book: Book) -> None:
    order_id = await book.paid()
    await book.refund(order_id, 300)
    rest = await book.refund(order_id)
    assert rest.amount == euros(700)
    with pytest.raises(RefundExceedsCapture):
        await book.refund(order_id, 1)


async def test_nothing_captured_is_nothing_to_refund(book: Book) -> None:
    order_id = await book.confirmed()
    with pytest.raises(RefundExceedsCapture):
        await book.refund(order_id)


async def test_what_was_refused_can_be_asked_for_again(book: Book) -> None:
    order_id = await book.paid()
    refund = await book.refund(order_id)
    await book.settle(refund, NO)
    assert (await book.refund(order_id)).amount == euros(1000)


async def test_what_went_back_otherwise_is_not_refunded_again(book: Book) -> None:
    order_id = await book.paid()
    await book.hear_payment(order_id, PAYMENT_REFUNDED, 2, captured=1000, refunded=1000)
    with pytest.raises(RefundExceedsCapture):
        await book.refund(order_id)


async def test_refunds_at_once_stay_within_what_was_captured(book: Book) -> None:
    order_id = await book.paid()
    ends = await asyncio.gather(*(book.refund(order_id, 300) for _ in range(8)), return_exceptions=True)
    made = [end for end in ends if isinstance(end, Refund)]
    refused = [end for end in ends if isinstance(end, RefundExceedsCapture)]
    assert (len(made), len(refused)) == (3, 5)


async def test_the_same_key_is_the_same_refund_however_often_it_is_sent(book: Book) -> None:
    order_id = await book.paid()
    refunds = await asyncio.gather(*(book.refund(order_id, 600, key="k") for _ in range(5)))
    assert len({refund.id for refund in refunds}) == 1
    assert len(await book.changes.refunds_of(order_id)) == 1
    with pytest.raises(IdempotencyMismatch):
        await book.refund(order_id, 400, key="k")
    assert (await book.refund(order_id, 400, key="another")).id != refunds[0].id


async def test_a_refund_ends_once(book: Book) -> None:
    order_id = await book.paid()
    refund = await book.refund(order_id, 300)
    await book.settle(refund)
    await book.settle(refund, NO)
    [ended] = await book.changes.refunds_of(order_id)
    assert (ended.state, ended.refusal, ended.settled_at) == (RefundState.DONE, None, NOON)


async def test_a_refused_refund_says_why(book: Book) -> None:
    order_id = await book.paid()
    await book.settle(await book.refund(order_id, 300), NO)
    [ended] = await book.changes.refunds_of(order_id)
    assert (ended.state, ended.refusal) == (RefundState.REFUSED, NO)


async def test_what_is_not_there_is_neither_refunded_nor_settled(book: Book) -> None:
    with pytest.raises(OrderNotFound):
        await book.refund("nobody's")
    with pytest.raises(UnknownRefund):
        await book.changes.settle_refund(SettleRefund(order_id="nobody's", refund_id="none"))


async def test_refunds_that_wait_are_found_page_by_page(fresh_database: FreshDatabase) -> None:
    async with open_book(fresh_database) as book:
        order_id = await book.paid()
        asked = [await book.refund(order_id, 100) for _ in range(5)]
        await book.settle(asked[0])
        await book.settle(asked[1], NO)
        found: list[Refund] = []
        after = None
        while page := await book.changes.refunds_to_make(
            older_than=-timedelta(seconds=1), after=after, limit=2
        ):
            found += page
            after = (page[-1].created_at, page[-1].id)
        assert sorted(refund.id for refund in found) == sorted(refund.id for refund in asked[2:])
        assert await book.changes.refunds_to_make(older_than=timedelta(0)) == []
