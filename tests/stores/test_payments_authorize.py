"""Authorising against the real provider: once per order, and never a no where the answer was lost."""

import asyncio
from pathlib import Path

import pytest

from contracts.errors import DomainError, Kind, Unavailable
from contracts.money import Money
from contracts.payments import PAYMENT_AUTHORIZED, PAYMENT_DECLINED, PaymentChanged
from sandbox.psp.models import Kind as Entry
from services.payments.errors import PaymentDeclined, UnknownPayment
from services.payments.store import Payment
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase
from tests.stores.payments_till import PRICE, Till, lost, new_order_id, open_till


async def test_an_authorisation_holds_the_amount_at_the_provider(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, amount=Money(amount=1234, currency="CHF"))
    payment, _ = await till.payments.payment_of(order_id)
    [entry] = till.psp.ledger(reference=order_id)
    assert (payment.state, payment.amount) == (PaymentState.AUTHORIZED, Money(amount=1234, currency="CHF"))
    assert (entry.kind, entry.amount, entry.currency) == (Entry.AUTHORIZED, 1234, "CHF")
    assert payment.provider_id == entry.authorization_id
    assert await till.movements(order_id) == ["authorization done"]


@pytest.mark.parametrize(
    ("token", "detail"),
    [
        ("tok_declined", "declined"),
        ("tok_insufficient_funds", "insufficient funds"),
        ("tok_from_elsewhere", "does not know"),
    ],
)
async def test_a_no_is_final_and_says_why(till: Till, token: str, detail: str) -> None:
    order_id = new_order_id()
    for _ in range(2):
        with pytest.raises(PaymentDeclined, match=detail) as refused:
            await till.authorize(order_id, token)
        assert (refused.value.code, refused.value.kind) == ("payments.declined", Kind.PAYMENT_REQUIRED)
    assert Entry.AUTHORIZED not in till.at_psp(order_id)
    assert await till.state(order_id) is PaymentState.DECLINED
    assert await till.movements(order_id) == ["authorization refused"]
    assert await till.told(order_id) == [PAYMENT_DECLINED]


async def test_a_repeat_charges_nothing(till: Till) -> None:
    order_id = new_order_id()
    for _ in range(3):
        await till.authorize(order_id)
    assert till.at_psp(order_id) == [Entry.AUTHORIZED]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED]


async def test_copies_at_once_charge_once(till: Till) -> None:
    order_id = new_order_id()
    answers = await asyncio.gather(*(till.authorize(order_id) for _ in range(10)), return_exceptions=True)
    # The provider refuses to work twice at once on one key: that is an outage to us, and sent again.
    assert all(isinstance(answer, (Payment, Unavailable)) for answer in answers)
    await till.authorize(order_id)
    assert till.at_psp(order_id) == [Entry.AUTHORIZED]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED]


async def test_a_lost_answer_is_unknown_and_a_repeat_finds_the_charge(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.impatient().authorize(order_id, "tok_timeout")
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    assert await till.movements(order_id) == ["authorization pending"]
    assert await till.told(order_id) == []
    await till.charged(order_id)
    await till.authorize(order_id, "tok_timeout")
    assert await till.state(order_id) is PaymentState.AUTHORIZED
    assert till.at_psp(order_id) == [Entry.AUTHORIZED]
    assert await till.told(order_id) == [PAYMENT_AUTHORIZED]


async def test_a_lost_request_was_no_charge_and_a_repeat_makes_one(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(there={"authorize": lost}).authorize(order_id)
    assert till.at_psp(order_id) == []
    await till.authorize(order_id)
    assert till.at_psp(order_id) == [Entry.AUTHORIZED]


async def test_a_lost_no_is_found_again_as_a_no(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable):
        await till.behind(back={"authorize": lost}).authorize(order_id, "tok_declined")
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    with pytest.raises(PaymentDeclined):
        await till.authorize(order_id, "tok_declined")


async def test_an_error_of_the_provider_is_an_outage(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(Unavailable, match="500"):
        await till.authorize(order_id, "tok_error_once")
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    await till.authorize(order_id, "tok_error_once")
    assert till.at_psp(order_id) == [Entry.AUTHORIZED]


async def test_a_provider_that_is_down_leaves_the_payment_open(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    async with open_till(fresh_database, tmp_path) as till:
        order_id = new_order_id()
        await till.psp.kill()
        with pytest.raises(Unavailable):
            await till.authorize(order_id)
        assert await till.state(order_id) is PaymentState.AUTHORIZING
        assert till.at_psp(order_id) == []
        await till.psp.restart()
        await till.authorize(order_id)
        assert till.at_psp(order_id) == [Entry.AUTHORIZED]


async def test_what_is_free_is_authorised_without_the_provider(till: Till) -> None:
    order_id = new_order_id()
    for _ in range(2):
        await till.authorize(order_id, amount=Money(amount=0, currency="EUR"))
    assert await till.state(order_id) is PaymentState.AUTHORIZED
    assert till.psp.ledger(reference=order_id) == []
    assert await till.movements(order_id) == ["authorization done"]


async def test_an_amount_that_the_provider_does_not_take_is_declined(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(PaymentDeclined, match="does not take"):
        await till.authorize(order_id, amount=Money(amount=10**13, currency="EUR"))
    assert till.psp.ledger(reference=order_id) == []


async def test_an_authorisation_is_told_with_all_of_the_payment(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    [event] = await till.events(order_id)
    assert (event.source, event.sequence) == ("/micromart/payments", 1)
    assert PaymentChanged.model_validate(event.data) == PaymentChanged(
        order_id=order_id, state="authorized", amount=PRICE, captured=0, refunded=0
    )


async def test_neither_the_token_nor_the_credential_is_told(till: Till) -> None:
    order_id = new_order_id()
    with pytest.raises(DomainError) as refused:
        await till.authorize(order_id, "tok_insufficient_funds")
    told = "".join(event.model_dump_json() for event in await till.events(order_id)) + str(refused.value)
    assert "tok_" not in told
    assert till.psp.api_key not in told


async def test_an_unknown_order_has_no_payment(till: Till) -> None:
    with pytest.raises(UnknownPayment):
        await till.payments.payment_of(new_order_id())
