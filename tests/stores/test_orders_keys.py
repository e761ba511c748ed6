"""One cart makes one order, one key has one answer."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from contracts.checkout import CANCELLED
from contracts.errors import Refusal
from services.orders.order import KeyRecord
from tests.conftest import FreshDatabase
from tests.orders_samples import new_order, order_line
from tests.stores.orders_book import DECLINED, Book, open_book


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def claimed(book: Book, key: str = "key") -> KeyRecord:
    """A key that stands for a new order."""
    order_id = await book.placed()
    record = KeyRecord(f"cart:{order_id}", key, "fingerprint", order_id, None, None)
    assert await book.claim(record)
    return record


async def test_an_order_is_read_as_it_was_written(book: Book) -> None:
    order = new_order(lines=tuple(order_line(f"SKU-{number}", number) for number in (3, 1, 2)))
    assert await book.add(order)
    assert await book.orders.order(order.id) == order


async def test_one_cart_makes_one_order_of_twenty_at_once(book: Book) -> None:
    cart = new_order().cart_ref
    added = await asyncio.gather(*(book.add(new_order(cart_ref=cart)) for _ in range(20)))
    assert Counter(added) == {True: 1, False: 19}


async def test_the_carts_next_generation_makes_its_own_order(book: Book) -> None:
    order = new_order()
    assert await book.add(order)
    await book.confirm(order.id)
    assert not await book.add(new_order(cart_ref=order.cart_ref))
    assert await book.add(new_order(cart_ref=order.cart_ref, generation=1))


@pytest.mark.parametrize("refusal", [DECLINED, CANCELLED])
async def test_an_undone_order_frees_its_cart_once_the_undo_has_ended(book: Book, refusal: Refusal) -> None:
    order = new_order()
    assert await book.add(order)
    await book.begin_undo(order.id, refusal)
    assert not await book.add(new_order(cart_ref=order.cart_ref))
    await book.end_undone(order.id)
    assert await book.add(new_order(cart_ref=order.cart_ref))
    assert not await book.add(new_order(cart_ref=order.cart_ref))


async def test_a_key_stands_for_its_order(book: Book) -> None:
    record = await claimed(book)
    assert await book.key(record) == record
    assert not await book.claim(replace(record, order_id=await book.placed()))
    assert await book.key(record) == record


async def test_a_key_belongs_to_its_principal(book: Book) -> None:
    record = await claimed(book)
    other = replace(record, principal="cart:another", order_id=await book.placed())
    assert await book.key(other) is None
    assert await book.claim(other)


async def test_one_of_twenty_claims_at_once_succeeds(book: Book) -> None:
    order_id = await book.placed()
    record = KeyRecord("customer:ada", order_id, "fingerprint", order_id, None, None)
    assert Counter(await asyncio.gather(*(book.claim(record) for _ in range(20)))) == {True: 1, False: 19}


async def answered(book: Book, record: KeyRecord, status: int, body: bytes) -> KeyRecord:
    _, standing = await book.orders.answer(record, lambda _: (status, body))
    return standing


async def test_the_first_answer_stands(book: Book) -> None:
    record = await claimed(book)
    first = await answered(book, record, 201, b'{"id":"1"}')
    later = await answered(book, record, 402, b"{}")
    assert first == later == replace(record, status=201, body=b'{"id":"1"}')
    assert await book.key(record) == first


async def test_an_order_without_an_answer_yet_leaves_its_key_open(book: Book) -> None:
    record = await claimed(book)
    order, standing = await book.orders.answer(record, lambda _: None)
    assert (order.id, standing.answer) == (record.order_id, None)
    assert await book.key(record) == record


async def test_answers_at_once_agree(book: Book) -> None:
    record = await claimed(book)
    answers = await asyncio.gather(
        *(answered(book, record, 200 + number, str(number).encode()) for number in range(20))
    )
    assert len(set(answers)) == 1
    assert answers[0].status == 200 + int(answers[0].body or b"")
