"""How a checkout ends when each step in turn does what it should not."""

import asyncio

import pytest

from contracts.checkout import CheckoutState, StepName
from contracts.orders import OrderState
from tests.conftest import FreshDatabase, Servers
from tests.polling import until
from tests.psp_process import Psp
from tests.workflows.faults import refusal
from tests.workflows.shop import ON_HAND, Shop, open_shop

STEPS = ["inventory.reserve", "payments.authorize", "orders.confirm"]
UNDOS = ["inventory.release", "payments.void"]


async def test_a_checkout_holds_money_and_stock_once_and_confirms_the_order(shop: Shop) -> None:
    checkout = await shop.placed()
    outcome = await shop.bought(checkout)
    assert outcome.state is CheckoutState.CONFIRMED
    await shop.assert_bought(checkout)
    steps = (await shop.order(checkout)).steps
    assert [(step.name, step.state, step.attempts) for step in steps] == [
        (name, "completed", 1) for name in STEPS
    ]


@pytest.mark.parametrize("step", STEPS)
async def test_an_outage_before_a_step_only_delays(shop: Shop, step: str) -> None:
    shop.faults.fail_before(step, times=2)
    checkout = await shop.placed()
    assert (await shop.bought(checkout)).state is CheckoutState.CONFIRMED
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_whose_answer_is_lost_takes_effect_once(shop: Shop, step: str) -> None:
    shop.faults.fail_after(step, times=2)
    checkout = await shop.placed()
    assert (await shop.bought(checkout)).state is CheckoutState.CONFIRMED
    await shop.handle(checkout).result()
    await shop.assert_bought(checkout)


@pytest.mark.parametrize("step", STEPS)
async def test_a_refusal_before_the_pivot_undoes_everything(shop: Shop, step: str) -> None:
    shop.faults.fail_before(step, refusal())
    checkout = await shop.placed()
    outcome = await shop.bought(checkout)
    assert outcome.state is CheckoutState.REJECTED
    assert outcome.refusal is not None
    assert outcome.refusal.code == "test.refused"
    await shop.assert_undone(checkout, OrderState.REJECTED)


@pytest.mark.parametrize("step", STEPS[:2])
async def test_a_step_that_took_effect_and_then_failed_for_good_is_undone(shop: Shop, step: str) -> None:
    shop.faults.fail_after(step, refusal())
    checkout = await shop.placed()
    assert (await shop.bought(checkout)).state is CheckoutState.REJECTED
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_a_confirm_that_took_effect_and_then_failed_for_good_goes_forward(shop: Shop) -> None:
    shop.faults.fail_after("orders.confirm", refusal())
    checkout = await shop.placed()
    assert (await shop.bought(checkout)).state is CheckoutState.CONFIRMED
    await shop.assert_bought(checkout)


@pytest.mark.parametrize("undo", UNDOS)
async def test_an_undo_whose_answer_is_lost_takes_effect_once(shop: Shop, undo: str) -> None:
    shop.faults.fail_before("orders.confirm", refusal())
    shop.faults.fail_after(undo, times=2)
    checkout = await shop.placed()
    assert (await shop.bought(checkout)).state is CheckoutState.REJECTED
    await shop.assert_undone(checkout, OrderState.REJECTED)


@pytest.mark.parametrize("undo", UNDOS)
async def test_an_undo_that_keeps_failing_calls_an_operator_and_goes_on(shop: Shop, undo: str) -> None:
    shop.faults.fail_before("orders.confirm", refusal())
    shop.faults.always_fail(undo, refusal("test.broken"))
    checkout = await shop.placed()
    await shop.checkouts.start(checkout)

    async def needs_operator() -> bool:
        description = await shop.handle(checkout).describe()
        found = {pair.key.name: pair.value for pair in description.typed_search_attributes}
        return bool(found.get("NeedsOperator"))

    await until(needs_operator)
    assert (await shop.order(checkout)).checkout_state is CheckoutState.NEEDS_OPERATOR
    other = next(name for name in UNDOS if name != undo)
    assert shop.faults.attempts[other] == 1, "the other undo did not wait"
    shop.faults.heal(undo)
    await shop.handle(checkout).result()
    await shop.assert_undone(checkout, OrderState.REJECTED)
    assert (await shop.order(checkout)).operator_note is None


@pytest.mark.parametrize(
    ("token", "detail"), [("tok_declined", "declined"), ("tok_insufficient_funds", "insufficient funds")]
)
async def test_a_declined_card_gives_the_stock_back(shop: Shop, token: str, detail: str) -> None:
    checkout = await shop.placed(token)
    outcome = await shop.bought(checkout)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "payments.declined"
    assert detail in outcome.refusal.detail
    await shop.assert_undone(checkout, OrderState.REJECTED)


@pytest.mark.parametrize("token", ["tok_timeout", "tok_error_once", "tok_slow"])
async def test_an_unknown_outcome_at_the_provider_is_settled_as_one_charge(
    servers: Servers, fresh_database: FreshDatabase, psp: Psp, token: str
) -> None:
    async with open_shop(servers, fresh_database, psp, provider_seconds=1.0) as impatient:
        checkout = await impatient.placed(token)
        assert (await impatient.bought(checkout)).state is CheckoutState.CONFIRMED
        await impatient.assert_bought(checkout)


async def test_more_than_there_is_cannot_be_bought(shop: Shop) -> None:
    checkout = await shop.placed(quantity=ON_HAND + 1)
    outcome = await shop.bought(checkout)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "inventory.out_of_stock"
    await shop.assert_undone(checkout, OrderState.REJECTED)


async def test_two_buyers_of_the_last_units_end_one_way(shop: Shop) -> None:
    first, second = await shop.placed(quantity=ON_HAND), await shop.placed(quantity=ON_HAND)
    outcomes = await asyncio.gather(shop.bought(first), shop.bought(second))
    assert sorted(outcome.state for outcome in outcomes) == ["confirmed", "rejected"]


async def test_the_time_limit_undoes_a_checkout_that_hangs(shop: Shop) -> None:
    shop.faults.always_fail("payments.authorize")
    checkout = await shop.placed(time_limit=1)
    outcome = await shop.bought(checkout)
    assert outcome.refusal is not None
    assert outcome.refusal.code == "checkout.expired"
    await shop.assert_undone(checkout, OrderState.CANCELLED)


async def test_the_answer_names_every_step_that_was_taken_and_taken_back(shop: Shop) -> None:
    checkout = await shop.placed("tok_declined")
    await shop.bought(checkout)
    steps = {step.name: step.state for step in (await shop.order(checkout)).steps}
    assert steps == {
        StepName.RESERVE_STOCK: "completed",
        StepName.AUTHORIZE_PAYMENT: "refused",
        StepName.CONFIRM_ORDER: "waiting",
        StepName.RELEASE_STOCK: "completed",
        StepName.VOID_PAYMENT: "completed",
    }
