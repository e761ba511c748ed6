"""How a checkout ends when each step in turn does what it should not."""

import pytest

from contracts.checkout import CheckoutState
from contracts.orders import OrderState
from tests.workflows.faults import refusal
from tests.workflows.shop import ON_HAND, Shop

STEPS = ["inventory.reserve", "payments.authorize", "orders.confirm", "carts.settle"]
BEFORE_PIVOT = STEPS[:3]


async def test_a_checkout_holds_money_and_stock_once_and_confirms_the_order(shop: Shop) -> None:
    checkout = await shop.placed()
    outcome = await shop.bought(checkout)
    assert outcome.state is CheckoutState.CONFIRMED
    await shop.assert_bought(checkout)
    steps = (await shop.order(checkout)).steps
    assert [(step.name, step.state, step.attempts) for step in steps] == [
        (name, "completed", 1) for name in STEPS
    ]
