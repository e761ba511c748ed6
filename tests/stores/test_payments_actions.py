"""A buyer who has to act at their bank first: the payment waits, and ends one way."""

import asyncio

import pytest

from contracts.errors import Unavailable
from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PAYMENT_DECLINED,
    PAYMENT_VOIDED,
)
from sandbox.psp.models import Kind
from services.payments.errors import PaymentDeclined, PaymentVoided
from services.payments.movements import authorize_key
from services.payments.store import Payment
from services.payments.tables import PaymentState
from tests.stores.payments_till import ASKING, PRICE, Gate, Till, lost, new_order_id


async def test_a_payment_waits_for_its_buyer(till: Till) -> None:
    order_id = new_order_id()
    pages = {await till.asked(order_id) for _ in range(3)}
    assert len(pages) == 1
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    assert await till.movements(order_id) == ["authorization pending"]
    assert await till.told(order_id) == [PAYMENT_ACTION_REQUIRED]
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION]


async def test_an_approval_holds_the_amount(till: Till) -> None:
    order_id = new_order_id()
    assert await till.act(await till.asked(order_id), "approve") == 200
    payments = [await till.authorize(order_id, ASKING) for _ in range(2)]
    assert [(payment.state, payment.action_url) for payment in payments] == [
        (PaymentState.AUTHORIZED, None)
    ] * 2
    assert await till.movements(order_id) == ["authorization done"]
    assert await till.told(order_id) == [PAYMENT_ACTION_REQUIRED, PAYMENT_AUTHORIZED]
    await till.capture(order_id)
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.CAPTURED]


async def test_a_no_at_the_bank_is_a_decline(till: Till) -> None:
    order_id = new_order_id()
    await till.act(await till.asked(order_id), "decline")
    for _ in range(2):
        with pytest.raises(PaymentDeclined, match="not approved"):
            await till.authorize(order_id, ASKING)
    assert await till.state(order_id) is PaymentState.DECLINED
    assert await till.movements(order_id) == ["authorization refused"]
    assert await till.told(order_id) == [PAYMENT_ACTION_REQUIRED, PAYMENT_DECLINED]


async def test_an_approval_before_the_first_answer_arrived_is_found(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(back={"authorize": lost}).authorize(order_id, ASKING)
    page = till.page_at_psp(order_id)
    await till.act(page, "approve")
    payment = await till.authorize(order_id, ASKING)
    assert payment.state is PaymentState.AUTHORIZED
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED]


async def test_an_answer_that_the_buyer_overtook_changes_nothing(till: Till) -> None:
    order_id, gate = new_order_id(), Gate()
    late = asyncio.create_task(till.behind(back={"authorize": gate}).authorize(order_id, ASKING))
    await gate.reached.wait()
    await till.act(till.page_at_psp(order_id), "approve")
    await till.authorize(order_id, ASKING)
    gate.opened.set()
    assert (await late).state is PaymentState.AUTHORIZED
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED]


async def test_copies_at_once_ask_the_buyer_once(till: Till) -> None:
    order_id = new_order_id()
    calls = (till.authorize(order_id, ASKING) for _ in range(10))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(answer, (Payment, Unavailable)) for answer in answers)
    await till.asked(order_id)
    assert await till.told(order_id) == [PAYMENT_ACTION_REQUIRED]
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION]


async def test_a_void_ends_the_wait(till: Till) -> None:
    order_id = new_order_id()
    page = await till.asked(order_id)
    for _ in range(2):
        await till.void(order_id)
    assert await till.act(page, "approve") == 409
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION, Kind.VOIDED]
    assert await till.movements(order_id) == ["authorization refused", "void done"]
    assert await till.told(order_id) == [PAYMENT_ACTION_REQUIRED, PAYMENT_VOIDED]
    with pytest.raises(PaymentVoided):
        await till.authorize(order_id, ASKING)


async def test_a_void_lets_go_of_what_was_approved_meanwhile(till: Till) -> None:
    order_id = new_order_id()
    await till.act(await till.asked(order_id), "approve")
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.movements(order_id) == ["authorization done", "void done"]


async def test_a_void_after_the_buyers_no_has_nothing_to_let_go_of(till: Till) -> None:
    order_id = new_order_id()
    await till.act(await till.asked(order_id), "decline")
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.REQUIRES_ACTION, Kind.DECLINED]


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        ("approve", [Kind.REQUIRES_ACTION, Kind.AUTHORIZED, Kind.VOIDED]),
        ("decline", [Kind.REQUIRES_ACTION, Kind.DECLINED]),
    ],
)
async def test_a_buyer_who_acts_during_the_void_changes_nothing(
    till: Till, outcome: str, kinds: list[Kind]
) -> None:
    order_id, gate = new_order_id(), Gate()
    page = await till.asked(order_id)
    void = asyncio.create_task(till.behind(there={"void": gate}).void(order_id))
    await gate.reached.wait()
    await till.act(page, outcome)
    gate.opened.set()
    await void
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == kinds


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_void_of_a_wait_that_was_lost_is_sent_again(till: Till, way: str) -> None:
    order_id = new_order_id()
    page = await till.asked(order_id)
    line = till.behind(there={"void": lost}) if way == "there" else till.behind(back={"void": lost})
    with pytest.raises(Unavailable):
        await line.void(order_id)
    await till.act(page, "approve")
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id)[-1] is Kind.VOIDED


async def test_a_late_yes_is_voided(till: Till) -> None:
    """Whatever reached the provider behind our back: nothing stays held for an order that was stopped."""
    order_id = new_order_id()
    await till.void(order_id)
    await till.provider.authorize(
        key=authorize_key(order_id), amount=PRICE, token="tok_ok", reference=order_id
    )
    for _ in range(2):
        await till.settle_report(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.movements(order_id) == ["void done"]
    assert await till.state(order_id) is PaymentState.VOIDED


async def test_a_late_yes_whose_void_was_lost_is_voided_again(till: Till) -> None:
    order_id = new_order_id()
    await till.void(order_id)
    await till.provider.authorize(
        key=authorize_key(order_id), amount=PRICE, token="tok_ok", reference=order_id
    )
    with pytest.raises(Unavailable):
        await till.behind(there={"void": lost}).settle_report(order_id)
    assert await till.movements(order_id) == ["void pending"]
    await till.settle_report(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


@pytest.mark.parametrize("state", ["unknown", "waiting", "authorized", "captured", "declined", "voided"])
async def test_a_report_changes_nothing_else(till: Till, state: str) -> None:
    order_id = new_order_id()
    match state:
        case "waiting":
            await till.asked(order_id)
        case "authorized" | "voided":
            await till.authorize(order_id)
        case "captured":
            order_id = await till.captured()
        case "declined":
            with pytest.raises(PaymentDeclined):
                await till.authorize(order_id, "tok_declined")
    if state == "voided":
        await till.void(order_id)
    before = till.psp.ledger(reference=order_id)
    await till.settle_report(order_id)
    assert till.psp.ledger(reference=order_id) == before
