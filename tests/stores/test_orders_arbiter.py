"""The order's row decides how its checkout ends: confirmed or undone, never both."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.checkout import CANCELLED, EXPIRED, CheckoutState, Step, StepName, StepState
from contracts.errors import DomainError, Refusal
from contracts.orders import OrderState
from services.orders.errors import AlreadyConfirmed, AlreadyEnded, CheckoutCalledOff, OrderNotFound
from tests.conftest import FreshDatabase
from tests.stores.orders_book import DECLINED, Book, open_book


@pytest.fixture(scope="module")
async def book(fresh_database: FreshDatabase) -> AsyncIterator[Book]:
    async with open_book(fresh_database) as book:
        yield book


async def test_a_confirm_is_final_and_safe_to_repeat(book: Book) -> None:
    order_id = await book.placed()
    for _ in range(2):
        await book.confirm(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.payment_state) == (OrderState.CONFIRMED, "authorized")
    assert order.checkout_state is CheckoutState.CONFIRMED
    assert [event.type for event in await book.events(order_id)] == ["order.placed", "order.confirmed"]


@pytest.mark.parametrize("ended", [False, True])
async def test_what_is_being_undone_is_not_confirmed(book: Book, ended: bool) -> None:
    order_id = await book.placed()
    await book.begin_undo(order_id)
    if ended:
        await book.end_undone(order_id)
    with pytest.raises(CheckoutCalledOff):
        await book.confirm(order_id)
    assert (await book.orders.order(order_id)).state is (
        OrderState.REJECTED if ended else OrderState.CANCELLING
    )


async def test_what_is_confirmed_goes_forward(book: Book) -> None:
    order_id = await book.placed()
    await book.confirm(order_id)
    verdict = await book.begin_undo(order_id)
    assert (verdict.confirmed, verdict.refusal) == (True, None)
    assert (await book.orders.order(order_id)).state is OrderState.CONFIRMED


async def test_the_first_reason_is_the_one_that_counts(book: Book) -> None:
    order_id = await book.placed()
    assert (await book.begin_undo(order_id, DECLINED)).refusal == DECLINED
    assert (await book.begin_undo(order_id, EXPIRED)).refusal == DECLINED
    await book.end_undone(order_id)
    assert (await book.begin_undo(order_id, CANCELLED)).refusal == DECLINED
    assert (await book.orders.order(order_id)).refusal == DECLINED


@pytest.mark.parametrize(
    ("refusal", "state"),
    [
        (DECLINED, OrderState.REJECTED),
        (CANCELLED, OrderState.CANCELLED),
        (EXPIRED, OrderState.CANCELLED),
    ],
)
async def test_the_reason_says_how_an_undone_order_ends(
    book: Book, refusal: Refusal, state: OrderState
) -> None:
    order_id = await book.placed()
    await book.begin_undo(order_id, refusal)
    for _ in range(2):
        await book.end_undone(order_id)
    order = await book.orders.order(order_id)
    assert (order.state, order.payment_state, order.checkout_state) == (state, "none", CheckoutState(state))
    assert order.ended_at is not None
    assert len(await book.events(order_id)) == 2


async def test_an_order_that_nobody_undid_is_not_ended(book: Book) -> None:
    order_id = await book.placed()
    await book.end_undone(order_id)
    assert (await book.orders.order(order_id)).state is OrderState.PENDING


async def test_a_pending_checkout_is_called_off_for_good(book: Book) -> None:
    order_id = await book.placed()
    for _ in range(2):
        assert (await book.orders.cancel_checkout(order_id)).state is OrderState.CANCELLING
    with pytest.raises(CheckoutCalledOff):
        await book.confirm(order_id)
    assert (await book.begin_undo(order_id, DECLINED)).refusal == CANCELLED


async def test_a_confirmed_checkout_is_not_called_off(book: Book) -> None:
    order_id = await book.placed()
    await book.confirm(order_id)
    with pytest.raises(AlreadyConfirmed):
        await book.orders.cancel_checkout(order_id)


async def test_a_checkout_that_has_ended_is_not_called_off(book: Book) -> None:
    order_id = await book.placed()
    await book.undone(order_id)
    with pytest.raises(AlreadyEnded):
        await book.orders.cancel_checkout(order_id)


async def test_a_cancel_that_races_a_confirm_has_one_winner(book: Book) -> None:
    orders = [await book.placed() for _ in range(50)]

    async def race(order_id: str, number: int) -> None:
        calls = [book.confirm(order_id), book.orders.cancel_checkout(order_id)]
        order = calls if number % 2 else calls[::-1]
        lost = [each for each in await asyncio.gather(*order, return_exceptions=True) if _refused(each)]
        state = (await book.orders.order(order_id)).state
        loser = {OrderState.CONFIRMED: AlreadyConfirmed, OrderState.CANCELLING: CheckoutCalledOff}[state]
        assert [type(each) for each in lost] == [loser]

    await asyncio.gather(*(race(order_id, number) for number, order_id in enumerate(orders)))


def _refused(outcome: object) -> bool:
    assert not isinstance(outcome, BaseException) or isinstance(outcome, DomainError)
    return isinstance(outcome, DomainError)


async def test_the_steps_are_stored_at_the_end_over_all_runs(book: Book) -> None:
    order_id = await book.placed()
    await book.confirm(order_id)
    reserved = Step(name=StepName.RESERVE_STOCK, state=StepState.COMPLETED, attempts=3)
    waiting = Step(name=StepName.SETTLE_CART)
    settled = waiting.model_copy(update={"state": StepState.COMPLETED})
    await book.close(order_id, [reserved, waiting])
    await book.close(order_id, [Step(name=StepName.RESERVE_STOCK), settled])
    assert (await book.orders.order(order_id)).steps == (reserved, settled)


async def test_an_operator_is_called_until_the_checkout_ends(book: Book) -> None:
    order_id = await book.placed()
    await book.begin_undo(order_id)
    for _ in range(2):
        await book.call_operator(order_id, "the void keeps failing")
    order = await book.orders.order(order_id)
    assert (order.checkout_state, order.operator_note) == (
        CheckoutState.NEEDS_OPERATOR,
        "the void keeps failing",
    )
    await book.end_undone(order_id)
    order = await book.orders.order(order_id)
    assert (order.checkout_state, order.operator_note) == (CheckoutState.REJECTED, None)


async def test_an_unknown_order_is_not_found(book: Book) -> None:
    for call in (
        book.confirm("nobody's"),
        book.begin_undo("nobody's"),
        book.end_undone("nobody's"),
        book.close("nobody's"),
        book.orders.cancel_checkout("nobody's"),
        book.orders.order("nobody's"),
    ):
        with pytest.raises(OrderNotFound):
            await call
