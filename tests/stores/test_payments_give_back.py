"""Giving back: wherever the payment stands, its buyer has paid nothing afterwards."""

import asyncio
from pathlib import Path

import pytest

from contracts.errors import Unavailable
from contracts.money import Money
from contracts.payments import PAYMENT_REFUNDED
from sandbox.psp.models import Kind
from services.payments.errors import CaptureFailed, PaymentDeclined, PaymentVoided
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase
from tests.stores.payments_till import PRICE, Gate, Till, lost, new_order_id, open_till


async def paid(till: Till, order_id: str) -> int:
    """What the buyer has paid in the end, by the provider's books; nothing may be held besides."""
    entries = till.psp.ledger(reference=order_id)
    closed = (Kind.CAPTURED, Kind.VOIDED)
    assert Kind.AUTHORIZED not in till.at_psp(order_id) or any(entry.kind in closed for entry in entries)
    taken = sum(entry.amount for entry in entries if entry.kind is Kind.CAPTURED)
    return taken - sum(entry.amount for entry in entries if entry.kind is Kind.REFUNDED)


async def test_where_nothing_was_begun_nothing_can_begin(till: Till) -> None:
    order_id = new_order_id()
    for _ in range(2):
        await till.give_back(order_id)
    with pytest.raises(PaymentVoided):
        await till.authorize(order_id)
    assert till.psp.ledger(reference=order_id) == []


async def test_what_is_held_is_let_go(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    for _ in range(2):
        await till.give_back(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


async def test_an_authorisation_whose_answer_was_lost_is_let_go(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(back={"authorize": lost}).authorize(order_id)
    await till.give_back(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


async def test_a_payment_that_waits_for_its_buyer_is_ended(till: Till) -> None:
    order_id = new_order_id()
    page = await till.asked(order_id)
    await till.give_back(order_id)
    assert await till.act(page, "approve") == 409
    assert await till.state(order_id) is PaymentState.VOIDED


async def test_what_was_declined_stays_so(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(PaymentDeclined):
        await till.authorize(order_id, "tok_declined")
    await till.give_back(order_id)
    assert await till.state(order_id) is PaymentState.DECLINED


async def test_what_was_taken_is_refunded_once(till: Till) -> None:
    order_id = await till.captured()
    for _ in range(3):
        await till.give_back(order_id)
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.state, payment.captured, payment.refunded) == (PaymentState.CAPTURED, 1000, 1000)
    assert await paid(till, order_id) == 0
    assert (await till.told(order_id)).count(PAYMENT_REFUNDED) == 1


async def test_what_was_refunded_in_part_is_refunded_to_the_rest(till: Till) -> None:
    order_id = await till.captured()
    await till.refund(order_id, 300, "part")
    await till.give_back(order_id)
    refunds = till.psp.ledger(kind=Kind.REFUNDED, reference=order_id)
    assert [entry.amount for entry in refunds] == [300, 700]


async def test_a_refund_under_way_is_left_to_its_own_end(till: Till) -> None:
    order_id = await till.captured()
    with pytest.raises(Unavailable):
        await till.behind(there={"refund": lost}).refund(order_id, 400, "under-way")
    await till.give_back(order_id)
    assert await paid(till, order_id) == 400
    await till.refund(order_id, 400, "under-way")
    assert await paid(till, order_id) == 0


async def test_what_was_refunded_in_full_is_not_refunded_again(till: Till) -> None:
    order_id = await till.captured()
    await till.refund(order_id, 1000, "all")
    await till.give_back(order_id)
    assert await paid(till, order_id) == 0
    assert (await till.told(order_id)).count(PAYMENT_REFUNDED) == 1


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_capture_that_was_lost_is_settled_then_refunded(till: Till, way: str) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    line = till.behind(there={"capture": lost}) if way == "there" else till.behind(back={"capture": lost})
    with pytest.raises(Unavailable):
        await line.capture(order_id)
    await till.give_back(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED, Kind.REFUNDED]
    assert await paid(till, order_id) == 0


async def test_a_capture_whose_refusal_was_lost_is_settled_then_voided(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, "tok_capture_fails")
    with pytest.raises(Unavailable):
        await till.behind(back={"capture": lost}).capture(order_id)
    await till.give_back(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURE_DECLINED, Kind.VOIDED]
    assert await till.state(order_id) is PaymentState.VOIDED


async def test_what_could_not_be_captured_is_let_go(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, "tok_capture_fails")
    with pytest.raises(CaptureFailed):
        await till.capture(order_id)
    await till.give_back(order_id)
    assert till.at_psp(order_id)[-1] is Kind.VOIDED


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_refund_that_was_lost_is_sent_again(till: Till, way: str) -> None:
    order_id = await till.captured()
    line = till.behind(there={"refund": lost}) if way == "there" else till.behind(back={"refund": lost})
    with pytest.raises(Unavailable):
        await line.give_back(order_id)
    await till.give_back(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED, Kind.REFUNDED]
    assert await paid(till, order_id) == 0


async def test_a_provider_that_died_with_the_answers_is_asked_again(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    async with open_till(fresh_database, tmp_path) as till:

        async def die() -> None:
            await till.psp.kill()
            raise Unavailable("the line is dead")

        order_id = new_order_id()
        await till.authorize(order_id)
        with pytest.raises(Unavailable):
            await till.behind(back={"capture": die}).capture(order_id)
        with pytest.raises(Unavailable):
            await till.give_back(order_id)
        await till.psp.restart()
        with pytest.raises(Unavailable):
            await till.behind(back={"refund": die}).give_back(order_id)
        await till.psp.restart()
        await till.give_back(order_id)
        assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED, Kind.REFUNDED]
        assert await paid(till, order_id) == 0


async def test_a_capture_that_ends_meanwhile_is_refunded(till: Till) -> None:
    order_id, gate = new_order_id(), Gate()
    await till.authorize(order_id)
    capture = asyncio.create_task(till.behind(back={"capture": gate}).capture(order_id))
    await gate.reached.wait()
    await till.give_back(order_id)
    gate.opened.set()
    await capture
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.captured, payment.refunded) == (PRICE.amount, PRICE.amount)
    assert await paid(till, order_id) == 0


async def test_copies_at_once_give_back_once(till: Till) -> None:
    order_id = await till.captured()
    answers = await asyncio.gather(*(till.give_back(order_id) for _ in range(10)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, Unavailable) for answer in answers)
    await till.give_back(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.CAPTURED, Kind.REFUNDED]


async def test_what_was_free_is_given_back_without_the_provider(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, amount=Money(amount=0, currency="EUR"))
    await till.capture(order_id)
    await till.give_back(order_id)
    assert till.psp.ledger(reference=order_id) == []
