"""A card whose bank asks its owner first: the checkout waits for the word, and looks for itself."""

import asyncio

import aiohttp
import pytest

from contracts.checkout import Checkout, CheckoutState, Outcome
from contracts.orders import OrderState, PaymentState
from tests.polling import until
from tests.workflows.shop import WAIT, Shop


async def waiting(shop: Shop) -> tuple[Checkout, str]:
    """A checkout that waits for its buyer, and where the buyer has to act."""
    checkout = await shop.placed("tok_action_required")
    outcome = await shop.bought(checkout)
    assert outcome == Outcome(state=CheckoutState.RUNNING)
    order = await shop.order(checkout)
    assert order.payment_state == PaymentState.ACTION_REQUIRED
    assert order.action_url is not None
    return checkout, order.action_url


async def expiring(shop: Shop) -> tuple[Checkout, str]:
    """A checkout whose time limit is about to end, and where its buyer was asked to act before that."""
    for time_limit in (2, 5, 15, 30):
        checkout = await shop.placed("tok_action_required", time_limit=time_limit)
        outcome = await shop.bought(checkout)
        url = (await shop.order(checkout)).action_url
        if outcome.state is CheckoutState.RUNNING and url is not None:
            return checkout, url
        # The machine stalled: the buyer was never asked.
    pytest.fail("no checkout came to its buyer before its time limit")


async def act(url: str, outcome: str) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, json={"outcome": outcome}) as answer:
        return answer.status


@pytest.mark.parametrize("reports", [1, 3])
async def test_a_yes_confirms_the_order_however_often_it_is_told(shop: Shop, reports: int) -> None:
    checkout, url = await waiting(shop)
    assert await act(url, "approve") == 200
    for _ in range(reports):
        await shop.checkouts.payment_reported(checkout.order_id)
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)
    assert (await shop.order(checkout)).action_url is None


async def test_a_no_undoes_everything(shop: Shop) -> None:
    checkout, url = await waiting(shop)
    await act(url, "decline")
    await shop.checkouts.payment_reported(checkout.order_id)
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_a_word_without_a_yes_behind_it_changes_nothing(shop: Shop) -> None:
    checkout, url = await waiting(shop)
    asked = shop.faults.attempts["payments.authorize"]
    await shop.checkouts.payment_reported(checkout.order_id)

    async def asked_again() -> bool:
        return shop.faults.attempts["payments.authorize"] > asked

    await until(asked_again)
    assert (await shop.order(checkout)).state is OrderState.PENDING
    await act(url, "approve")
    await shop.checkouts.payment_reported(checkout.order_id)
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


async def test_a_word_that_arrives_before_the_providers_answer_counts(shop: Shop) -> None:
    gate = shop.faults.hold_after("payments.authorize")
    checkout = await shop.stopped_at(gate, token="tok_action_required")
    [opened] = shop.psp.ledger(reference=checkout.order_id)
    assert await act(f"{shop.psp.url}/v1/actions/{opened.authorization_id}", "approve") == 200
    await shop.checkouts.payment_reported(checkout.order_id)
    gate.opened.set()
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


async def test_without_a_word_the_time_limit_undoes_it_and_a_late_yes_is_refused(shop: Shop) -> None:
    checkout, url = await expiring(shop)
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.CANCELLED)
    assert await act(url, "approve") == 409
    await shop.assert_undone(checkout, OrderState.CANCELLED)


async def test_a_cancel_while_it_waits_undoes_it(shop: Shop) -> None:
    checkout, _ = await waiting(shop)
    await shop.cancel(checkout)
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.CANCELLED)


async def test_a_word_about_a_checkout_that_is_over_or_never_was_is_harmless(shop: Shop) -> None:
    checkout = await shop.placed()
    await shop.bought(checkout)
    await shop.handle(checkout).result()
    await asyncio.gather(
        shop.checkouts.payment_reported(checkout.order_id), shop.checkouts.payment_reported("never-was")
    )
    await shop.assert_bought(checkout)


async def test_asking_again_while_it_waits_gets_the_same_answer(shop: Shop) -> None:
    checkout, _ = await waiting(shop)
    again = await shop.checkouts.place(checkout, wait=WAIT)
    assert again == Outcome(state=CheckoutState.RUNNING)
    await shop.cancel(checkout)
    await shop.handle(checkout).result()
