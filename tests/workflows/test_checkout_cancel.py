"""A cancel, at every step, from the API or from an operator, ends one way."""

import pytest

from contracts.checkout import CheckoutState
from contracts.orders import OrderState
from services.orders.errors import AlreadyConfirmed
from tests.workflows.faults import refusal
from tests.workflows.shop import Shop

STEPS = ["inventory.reserve", "payments.authorize", "orders.confirm"]


@pytest.mark.parametrize("step", STEPS)
async def test_a_cancel_before_a_step_takes_effect_undoes_the_checkout(shop: Shop, step: str) -> None:
    gate = shop.faults.hold_before(step)
    checkout = await shop.stopped_at(gate)
    await shop.cancel(checkout)
    gate.opened.set()
    outcome = await shop.handle(checkout).result()
    assert outcome["state"] == CheckoutState.CANCELLED
    await shop.assert_undone(checkout, OrderState.CANCELLED)


@pytest.mark.parametrize("step", STEPS[:2])
async def test_a_cancel_after_a_step_took_effect_undoes_the_checkout(shop: Shop, step: str) -> None:
    gate = shop.faults.hold_after(step)
    checkout = await shop.stopped_at(gate)
    await shop.cancel(checkout)
    gate.opened.set()
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.CANCELLED)


@pytest.mark.parametrize("step", STEPS[:2])
async def test_an_operators_cancel_undoes_the_checkout(shop: Shop, step: str) -> None:
    gate = shop.faults.hold_before(step)
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).cancel()
    gate.opened.set()
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.CANCELLED)


async def test_a_cancel_behind_a_confirm_that_nobody_heard_of_goes_forward(shop: Shop) -> None:
    gate = shop.faults.hold_after("orders.confirm")
    checkout = await shop.stopped_at(gate)
    with pytest.raises(AlreadyConfirmed):
        await shop.orders.cancel_checkout(checkout.order_id)
    await shop.handle(checkout).cancel()
    gate.opened.set()
    outcome = await shop.handle(checkout).result()
    assert outcome["state"] == CheckoutState.CONFIRMED
    await shop.assert_bought(checkout)


async def test_a_cancel_past_the_pivot_changes_nothing(shop: Shop) -> None:
    gate = shop.faults.hold_before("orders.close")
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).cancel()
    gate.opened.set()
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


@pytest.mark.parametrize("undo", ["inventory.release", "payments.void", "orders.end_undone"])
async def test_a_cancel_during_the_undo_does_not_stop_it(shop: Shop, undo: str) -> None:
    shop.faults.fail_before("orders.confirm", refusal())
    gate = shop.faults.hold_before(undo)
    checkout = await shop.stopped_at(gate)
    await shop.handle(checkout).cancel()
    gate.opened.set()
    outcome = await shop.handle(checkout).result()
    assert outcome["state"] == CheckoutState.REJECTED
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_a_lost_cancel_is_sent_again_by_the_reconciler(shop: Shop) -> None:
    shop.faults.always_fail("payments.authorize")
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)
    await shop.orders.cancel_checkout(checkout.order_id)
    while not await shop.reconciler.look():
        continue
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.CANCELLED)
