"""A provider that does not give what it held: the attempt is over, the next one has its own key."""

import asyncio

import pytest

from contracts.errors import Kind as Refused
from contracts.errors import Unavailable
from contracts.payments import PAYMENT_AUTHORIZED, PAYMENT_CAPTURE_FAILED, PAYMENT_CAPTURED, PaymentChanged
from sandbox.psp.models import Kind
from services.payments.errors import CaptureFailed
from services.payments.movements import capture_key
from services.payments.sandbox import UnexpectedAnswer
from services.payments.tables import PaymentState
from tests.stores.payments_till import PRICE, Till, euros, lost, new_order_id

FAILING = "tok_capture_fails"


async def held(till: Till) -> str:
    """A new order whose first capture will be refused."""
    order_id = new_order_id()
    await till.authorize(order_id, FAILING)
    return order_id


async def test_a_refused_capture_leaves_the_amount_held(till: Till) -> None:
    order_id = await held(till)
    with pytest.raises(CaptureFailed) as refused:
        await till.capture(order_id)
    assert (refused.value.code, refused.value.kind) == ("payments.capture_failed", Refused.CONFLICT)
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.state, payment.captured) == (PaymentState.AUTHORIZED, 0)
    assert payment.capture_failure == "capture_declined"
    assert await till.movements(order_id) == ["authorization done", "capture refused"]
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURE_DECLINED]


async def test_a_refused_capture_is_told_with_its_reason(till: Till) -> None:
    order_id = await held(till)
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    event = (await till.events(order_id))[-1]
    assert event.type == PAYMENT_CAPTURE_FAILED
    assert PaymentChanged.model_validate(event.data) == PaymentChanged(
        order_id=order_id,
        state="authorized",
        amount=PRICE,
        captured=0,
        refunded=0,
        reason="capture_declined",
    )


async def test_the_next_attempt_succeeds_under_a_key_of_its_own(till: Till) -> None:
    order_id = await held(till)
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    for _ in range(2):
        await till.capture(order_id)
    payment, ledger = await till.payments.payment_of(order_id)
    assert (payment.state, payment.captured, payment.capture_failure) == (
        PaymentState.CAPTURED,
        PRICE.amount,
        None,
    )
    assert [movement.key for movement in ledger[1:]] == [capture_key(order_id), capture_key(order_id, 2)]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED, PAYMENT_CAPTURE_FAILED, PAYMENT_CAPTURED]


async def test_a_refusal_that_was_lost_is_found_again(till: Till) -> None:
    order_id = await held(till)
    with pytest.raises(Unavailable):
        await till.behind(back={"capture": lost}).capture(order_id)
    assert await till.state(order_id) is PaymentState.CAPTURING
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURE_DECLINED]


async def test_copies_at_once_take_at_most_once(till: Till) -> None:
    order_id = await held(till)
    answers = await asyncio.gather(*(till.capture(order_id) for _ in range(10)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, (CaptureFailed, Unavailable)) for answer in answers)
    await till.capture(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURE_DECLINED, Kind.CAPTURED]
    told = await till.told(order_id)
    assert told.count(PAYMENT_CAPTURE_FAILED) == told.count(PAYMENT_CAPTURED) == 1


async def test_what_could_not_be_captured_is_let_go(till: Till) -> None:
    order_id = await held(till)
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURE_DECLINED, Kind.VOIDED]


async def test_a_hold_that_the_provider_let_go_of_is_a_refused_capture(till: Till) -> None:
    order_id = new_order_id()
    payment = await till.authorize(order_id)
    await till.provider.void(key=f"desk-{order_id}", provider_id=payment.provider_id or "")
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.state, payment.capture_failure) == (PaymentState.AUTHORIZED, "voided")
    assert await till.movements(order_id) == ["authorization done", "capture refused"]


async def test_money_that_somebody_else_took_is_for_a_person_to_explain(till: Till) -> None:
    order_id = new_order_id()
    payment = await till.authorize(order_id)
    await till.provider.capture(
        key=f"desk-{order_id}", provider_id=payment.provider_id or "", amount=euros(1)
    )
    with pytest.raises(UnexpectedAnswer):
        await till.capture(order_id)
    assert await till.movements(order_id) == ["authorization done", "capture pending"]
