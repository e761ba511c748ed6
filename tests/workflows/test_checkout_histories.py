"""Every kind of end of a checkout, run now and replayed now."""

from collections.abc import Awaitable, Callable

import pytest

from contracts.checkout import Checkout
from tests.workflows.saved import replay_and_keep
from tests.workflows.shop import Shop
from tests.workflows.test_checkout_actions import act


async def confirmed(shop: Shop) -> Checkout:
    checkout = await shop.placed()
    await shop.bought(checkout)
    return checkout


async def declined(shop: Shop) -> Checkout:
    checkout = await shop.placed("tok_declined")
    await shop.bought(checkout)
    return checkout


async def cancelled(shop: Shop) -> Checkout:
    gate = shop.faults.hold_before("payments.authorize")
    checkout = await shop.stopped_at(gate)
    await shop.cancel(checkout)
    gate.opened.set()
    await shop.handle(checkout).result()
    return checkout


async def expired(shop: Shop) -> Checkout:
    shop.faults.always_fail("payments.authorize")
    checkout = await shop.placed(time_limit=1)
    await shop.bought(checkout)
    return checkout


async def taken_over(shop: Shop) -> Checkout:
    gate = shop.faults.hold_after("inventory.reserve")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).terminate("by hand")
    gate.opened.set()
    await shop.reconciled(checkout)
    await shop.handle(checkout).result()
    return checkout


async def waited(shop: Shop) -> Checkout:
    checkout = await shop.placed("tok_action_required")
    await shop.bought(checkout)
    await act((await shop.order(checkout)).action_url or "", "approve")
    await shop.checkouts.payment_reported(checkout.order_id)
    await shop.handle(checkout).result()
    return checkout


@pytest.mark.parametrize("ending", [confirmed, declined, cancelled, expired, taken_over, waited])
async def test_a_history_replays(shop: Shop, ending: Callable[[Shop], Awaitable[Checkout]]) -> None:
    checkout = await ending(shop)
    history = await shop.handle(checkout).fetch_history()
    await replay_and_keep(history, f"checkout/{ending.__name__}")
