"""Taking what is held and giving it back: once per key, never beyond what was taken."""

import asyncio
from collections import Counter

import pytest

from contracts.errors import Unavailable
from contracts.money import Money
from contracts.payments import (
    PAYMENT_AUTHORIZED,
    PAYMENT_CAPTURED,
    PAYMENT_REFUNDED,
    PaymentChanged,
    RefundPayment,
)
from sandbox.psp.models import Kind
from services.payments.errors import (
    PaymentCaptured,
    PaymentDeclined,
    PaymentNotAuthorized,
    RefundExceedsCapture,
    RefundKeyReused,
)
from services.payments.tables import PaymentState
from tests.stores.payments_till import PRICE, Till, lost, new_order_id


async def refunded(till: Till, order_id: str) -> tuple[int, int]:
    """What was given back: by our books, and by the provider's."""
    payment, _ = await till.payments.payment_of(order_id)
    entries = till.psp.ledger(kind=Kind.REFUNDED, reference=order_id)
    return payment.refunded, sum(entry.amount for entry in entries)


async def test_a_capture_takes_the_amount_once(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    for _ in range(2):
        await till.capture(order_id)
    [entry] = till.psp.ledger(kind=Kind.CAPTURED, reference=order_id)
    assert (entry.amount, entry.currency) == (PRICE.amount, PRICE.currency)
    assert await till.movements(order_id) == ["authorization done", "capture done"]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED, PAYMENT_CAPTURED]


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_capture_that_was_lost_is_sent_again(till: Till, way: str) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    line = till.behind(there={"capture": lost}) if way == "there" else till.behind(back={"capture": lost})
    with pytest.raises(Unavailable):
        await line.capture(order_id)
    assert await till.state(order_id) is PaymentState.CAPTURING
    assert await till.movements(order_id) == ["authorization done", "capture pending"]
    with pytest.raises(PaymentCaptured):
        await till.void(order_id)
    await till.capture(order_id)
    assert await till.state(order_id) is PaymentState.CAPTURED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED]


@pytest.mark.parametrize("end", ["voided", "declined"])
async def test_nothing_is_taken_where_nothing_is_held(till: Till, end: str) -> None:
    order_id = new_order_id()
    if end == "voided":
        await till.void(order_id)
    else:
        with pytest.raises(PaymentDeclined):
            await till.authorize(order_id, "tok_declined")
    with pytest.raises(PaymentNotAuthorized, match=end) as refused:
        await till.capture(order_id)
    assert refused.value.code == "payments.not_authorized"


async def test_captures_at_once_take_once(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    answers = await asyncio.gather(*(till.capture(order_id) for _ in range(10)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, Unavailable) for answer in answers)
    await till.capture(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED]
    payment, _ = await till.payments.payment_of(order_id)
    assert payment.captured == PRICE.amount


async def test_parts_are_given_back_until_nothing_is_left(till: Till) -> None:
    order_id = await till.captured()
    await till.refund(order_id, 300, "first")
    await till.refund(order_id, 700, "rest")
    assert await refunded(till, order_id) == (1000, 1000)
    with pytest.raises(RefundExceedsCapture) as refused:
        await till.refund(order_id, 1, "more")
    assert refused.value.code == "payments.refund_exceeds_capture"
    assert await till.movements(order_id) == [
        "authorization done",
        "capture done",
        "refund done",
        "refund done",
    ]


@pytest.mark.parametrize("amount", [1001, 0, -1])
async def test_an_amount_out_of_bounds_is_not_given_back(till: Till, amount: int) -> None:
    order_id = await till.captured()
    with pytest.raises(RefundExceedsCapture, match=r"10\.00 EUR"):
        await till.refund(order_id, amount, "key")
    assert await refunded(till, order_id) == (0, 0)


async def test_another_currency_is_not_given_back(till: Till) -> None:
    order_id = await till.captured()
    with pytest.raises(RefundExceedsCapture, match="USD"):
        await till.payments.refund(
            RefundPayment(order_id=order_id, amount=Money(amount=100, currency="USD"), key="key")
        )


async def test_what_was_only_held_is_not_given_back(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    with pytest.raises(RefundExceedsCapture):
        await till.refund(order_id, 100, "key")


async def test_a_refund_repeated_with_its_key_is_one_refund(till: Till) -> None:
    order_id = await till.captured()
    for _ in range(3):
        await till.refund(order_id, 600, "key")
    assert await refunded(till, order_id) == (600, 600)
    assert (await till.told(order_id)).count(PAYMENT_REFUNDED) == 1


async def test_a_key_names_one_amount(till: Till) -> None:
    order_id = await till.captured()
    await till.refund(order_id, 600, "key")
    with pytest.raises(RefundKeyReused) as refused:
        await till.refund(order_id, 300, "key")
    assert refused.value.code == "payments.refund_key_reused"
    assert await refunded(till, order_id) == (600, 600)


async def test_a_key_belongs_to_its_order(till: Till) -> None:
    one, other = await till.captured(), await till.captured()
    for order_id in (one, other):
        await till.refund(order_id, 400, "same-key")
    assert await refunded(till, one) == await refunded(till, other) == (400, 400)


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_refund_that_was_lost_is_sent_again(till: Till, way: str) -> None:
    order_id = await till.captured()
    line = till.behind(there={"refund": lost}) if way == "there" else till.behind(back={"refund": lost})
    with pytest.raises(Unavailable):
        await line.refund(order_id, 600, "key")
    assert (await till.movements(order_id))[-1] == "refund pending"
    await till.refund(order_id, 600, "key")
    assert await refunded(till, order_id) == (600, 600)
    assert (await till.movements(order_id))[-1] == "refund done"


async def test_a_refund_under_way_is_spoken_for(till: Till) -> None:
    order_id = await till.captured()
    with pytest.raises(Unavailable):
        await till.behind(there={"refund": lost}).refund(order_id, 600, "under-way")
    with pytest.raises(RefundExceedsCapture, match=r"4\.00 EUR"):
        await till.refund(order_id, 500, "other")
    await till.refund(order_id, 400, "other")
    await till.refund(order_id, 600, "under-way")
    assert await refunded(till, order_id) == (1000, 1000)


async def test_refunds_at_once_stay_within_what_was_taken(till: Till) -> None:
    order_id = await till.captured()
    calls = (till.refund(order_id, 300, f"key-{number}") for number in range(10))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert Counter(type(answer) for answer in answers) == {type(None): 3, RefundExceedsCapture: 7}
    assert await refunded(till, order_id) == (900, 900)


async def test_copies_of_one_refund_at_once_are_one_refund(till: Till) -> None:
    order_id = await till.captured()
    calls = (till.refund(order_id, 300, "key") for _ in range(10))
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert all(answer is None or isinstance(answer, Unavailable) for answer in answers)
    await till.refund(order_id, 300, "key")
    assert await refunded(till, order_id) == (300, 300)


async def test_every_movement_is_told_with_all_of_the_payment(till: Till) -> None:
    order_id = await till.captured()
    await till.refund(order_id, 300, "key")
    events = await till.events(order_id)
    assert [PaymentChanged.model_validate(event.data) for event in events] == [
        PaymentChanged(order_id=order_id, state=state, amount=PRICE, captured=captured, refunded=refunded)
        for state, captured, refunded in [
            ("authorized", 0, 0),
            ("captured", 1000, 0),
            ("captured", 1000, 300),
        ]
    ]
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))


async def test_what_is_free_is_captured_without_the_provider(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, amount=Money(amount=0, currency="EUR"))
    await till.capture(order_id)
    assert await till.state(order_id) is PaymentState.CAPTURED
    assert till.psp.ledger(reference=order_id) == []
