"""Letting go: whatever became of the authorisation, nothing is held in the end."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contracts.errors import Unavailable
from contracts.money import Money
from contracts.payments import PAYMENT_AUTHORIZED, PAYMENT_DECLINED, PAYMENT_VOIDED
from sandbox.psp.models import Kind
from services.payments.errors import PaymentCaptured, PaymentDeclined, PaymentVoided
from services.payments.store import Payment
from services.payments.tables import PaymentState
from tests.stores.payments_till import Gate, Till, lost, new_order_id


@contextmanager
def stopped() -> Iterator[None]:
    with pytest.raises(PaymentVoided) as refused:
        yield
    assert refused.value.code == "payments.voided"


async def test_a_void_lets_go_of_what_is_held(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    for _ in range(2):
        await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.movements(order_id) == ["authorization done", "void done"]
    events = await till.events(order_id)
    assert [event.type for event in events] == [PAYMENT_AUTHORIZED, PAYMENT_VOIDED]
    assert events[0].sequence < events[1].sequence


async def test_a_void_of_nothing_refuses_a_late_authorisation(till: Till) -> None:
    order_id = new_order_id()
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    for _ in range(2):
        with stopped():
            await till.authorize(order_id)
    await till.void(order_id)
    assert till.psp.ledger(reference=order_id) == []
    assert await till.movements(order_id) == []


async def test_an_authorisation_after_the_void_is_refused(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    await till.void(order_id)
    with stopped():
        await till.authorize(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


async def test_a_declined_payment_has_nothing_to_let_go_of(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(PaymentDeclined):
        await till.authorize(order_id, "tok_declined")
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.DECLINED]
    assert await till.told(order_id) == [PAYMENT_DECLINED]


async def test_a_captured_payment_is_not_voided(till: Till) -> None:
    order_id = await till.captured()
    with pytest.raises(PaymentCaptured) as refused:
        await till.void(order_id)
    assert refused.value.code == "payments.captured"
    assert Kind.VOIDED not in till.at_psp(order_id)


async def test_a_charge_whose_answer_was_lost_is_voided(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(back={"authorize": lost}).authorize(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED]
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.state(order_id) is PaymentState.VOIDED
    assert await till.movements(order_id) == ["authorization done", "void done"]
    assert await till.told(order_id) == [PAYMENT_VOIDED]


async def test_a_charge_that_timed_out_is_voided(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.impatient().authorize(order_id, "tok_timeout")
    await till.charged(order_id)
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


async def test_a_request_that_was_lost_is_claimed_and_voided(till: Till) -> None:
    """Sent again under its key, so that the lost one cannot still arrive and hold money."""
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(there={"authorize": lost}).authorize(order_id)
    assert till.at_psp(order_id) == []
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.state(order_id) is PaymentState.VOIDED


async def test_a_lost_request_that_would_be_declined_ends_voided(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(there={"authorize": lost}).authorize(order_id, "tok_declined")
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.DECLINED]
    assert await till.movements(order_id) == ["authorization refused"]


async def test_a_request_that_arrives_after_the_void_holds_nothing(till: Till) -> None:
    order_id, gate = new_order_id(), Gate()
    late = asyncio.create_task(till.behind(there={"authorize": gate}).authorize(order_id))
    await gate.reached.wait()
    await till.void(order_id)
    gate.opened.set()
    with stopped():
        await late
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


async def test_an_answer_that_arrives_after_the_void_changes_nothing(till: Till) -> None:
    order_id, gate = new_order_id(), Gate()
    late = asyncio.create_task(till.behind(back={"authorize": gate}).authorize(order_id))
    await gate.reached.wait()
    await till.void(order_id)
    gate.opened.set()
    with stopped():
        await late
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.told(order_id) == [PAYMENT_VOIDED]


async def test_an_answer_that_arrives_during_the_void_changes_nothing(till: Till) -> None:
    order_id, answer, voiding = new_order_id(), Gate(), Gate()
    late = asyncio.create_task(till.behind(back={"authorize": answer}).authorize(order_id))
    await answer.reached.wait()
    void = asyncio.create_task(till.behind(there={"void": voiding}).void(order_id))
    await voiding.reached.wait()
    answer.opened.set()
    with stopped():
        await late
    assert await till.state(order_id) is PaymentState.VOIDING
    voiding.opened.set()
    await void
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]


@pytest.mark.parametrize("way", ["there", "back"])
async def test_a_void_that_was_lost_is_sent_again(till: Till, way: str) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    line = till.behind(there={"void": lost}) if way == "there" else till.behind(back={"void": lost})
    with pytest.raises(Unavailable):
        await line.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDING
    assert await till.movements(order_id) == ["authorization done", "void pending"]
    with stopped():
        await till.authorize(order_id)
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.movements(order_id) == ["authorization done", "void done"]


async def test_voids_at_once_let_go_once(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    answers = await asyncio.gather(*(till.void(order_id) for _ in range(10)), return_exceptions=True)
    assert all(answer is None or isinstance(answer, Unavailable) for answer in answers)
    await till.void(order_id)
    assert till.at_psp(order_id) == [Kind.AUTHORIZED, Kind.VOIDED]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED, PAYMENT_VOIDED]


async def test_voids_that_race_authorisations_leave_nothing_held(till: Till) -> None:
    orders = [new_order_id() for _ in range(20)]
    calls: list[Coroutine[Any, Any, Payment | None]] = []
    for order_id in orders:
        calls += (till.authorize(order_id), till.void(order_id))
    for answer in await asyncio.gather(*calls, return_exceptions=True):
        assert answer is None or isinstance(answer, (Payment, PaymentVoided, Unavailable))
    for order_id in orders:
        await till.void(order_id)
        assert await till.state(order_id) is PaymentState.VOIDED
        assert till.at_psp(order_id) in ([], [Kind.AUTHORIZED, Kind.VOIDED])


async def test_what_is_free_is_let_go_without_the_provider(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, amount=Money(amount=0, currency="EUR"))
    await till.void(order_id)
    assert await till.state(order_id) is PaymentState.VOIDED
    assert till.psp.ledger(reference=order_id) == []
