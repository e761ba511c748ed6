"""What a provider reports: told once, believed in nothing but whose order it is about."""

import asyncio

import pytest
from sqlalchemy import text

from contracts.payments import (
    PAYMENT_ACTION_REQUIRED,
    PAYMENT_AUTHORIZED,
    PROVIDER_REPORTED,
    ProviderReported,
)
from services.payments.errors import ForgedWebhook, UnknownProvider
from services.payments.service import PaymentsService
from services.payments.store import PaymentsStore
from services.payments.tables import PaymentState
from tests.provider_reports import report_about, signed
from tests.stores.payments_till import ASKING, Gate, Till, new_order_id, provider_at


async def report(till: Till, body: bytes) -> None:
    await till.payments.receive_webhook("sandbox", signed(body, till.psp.webhook_secret), body)


async def noted(till: Till) -> int:
    """How many webhooks were ever written down."""
    async with till.database.begin() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM webhooks"))).scalar_one())


async def told_in_all(till: Till) -> int:
    async with till.database.begin() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def test_a_report_is_told_once_however_often_it_comes(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, "tok_action_required")
    body = report_about(order_id, f"evt_{order_id}")
    for _ in range(3):
        await report(till, body)
    events = await till.events(order_id)
    assert [event.type for event in events] == [PAYMENT_ACTION_REQUIRED, PROVIDER_REPORTED]
    assert ProviderReported.model_validate(events[-1].data) == ProviderReported(
        order_id=order_id, provider="sandbox", report_id=f"evt_{order_id}"
    )


async def test_copies_at_once_are_told_once(till: Till) -> None:
    order_id = new_order_id()
    body = report_about(order_id)
    await asyncio.gather(*(report(till, body) for _ in range(10)))
    assert await till.told(order_id) == [PROVIDER_REPORTED]


async def test_two_reports_are_two(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id, "tok_action_required")
    for _ in range(2):
        await report(till, report_about(order_id))
    sequences = [event.sequence for event in await till.events(order_id)]
    assert sequences == sorted(set(sequences))
    assert len(sequences) == 3


async def test_a_report_of_what_is_held_already_is_noted_and_told_to_nobody(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    await report(till, report_about(order_id))
    assert [event.type for event in await till.events(order_id)] == [PAYMENT_AUTHORIZED]


async def test_a_report_that_comes_first_changes_nothing_in_the_end(till: Till) -> None:
    order_id = new_order_id()
    await report(till, report_about(order_id))
    payment = await till.authorize(order_id)
    assert payment.state is PaymentState.AUTHORIZED
    events = await till.events(order_id)
    assert [(event.type, event.sequence) for event in events] == [
        (PROVIDER_REPORTED, 0),
        (PAYMENT_AUTHORIZED, 1),
    ]


async def test_a_report_that_races_the_call_changes_nothing_in_the_end(till: Till) -> None:
    order_id, gate = new_order_id(), Gate()
    call = asyncio.create_task(till.behind(back={"authorize": gate}).authorize(order_id))
    await gate.reached.wait()
    await report(till, report_about(order_id))
    gate.opened.set()
    assert (await call).state is PaymentState.AUTHORIZED
    events = await till.events(order_id)
    assert [event.type for event in events] == [PROVIDER_REPORTED, PAYMENT_AUTHORIZED]
    assert events[0].sequence < events[1].sequence


async def test_a_report_says_nothing_of_the_payment(till: Till) -> None:
    """It claims that the amount is authorised; the buyer has not acted yet."""
    order_id = new_order_id()
    await till.asked(order_id)
    await report(till, report_about(order_id))
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    payment = await till.authorize(order_id, ASKING)
    assert payment.action_url is not None


async def test_a_forged_report_leaves_no_trace(till: Till) -> None:
    order_id = new_order_id()
    await till.authorize(order_id)
    body = report_about(order_id)
    before = (await noted(till), await told_in_all(till))
    for headers in (
        {},
        {"psp-signature": "nonsense"},
        signed(body, "another secret"),
        signed(b"another body", till.psp.webhook_secret),
        signed(body, till.psp.webhook_secret, age_seconds=600),
        signed(body, till.psp.webhook_secret, age_seconds=-600),
    ):
        with pytest.raises(ForgedWebhook):
            await till.payments.receive_webhook("sandbox", headers, body)
    assert (await noted(till), await told_in_all(till)) == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"\xff\xfe",
        b"[]",
        b'{"id": "evt_1"}',
        b'{"id": "evt_1", "data": {"reference": 7}}',
        b'{"id": "evt\\u0000", "data": {"reference": "order"}}',
        report_about("an order of somebody else"),
        report_about("x" * 65),
        report_about("order\n"),
        report_about("order", "x" * 256),
    ],
)
async def test_what_is_about_nothing_of_ours_leaves_no_trace(till: Till, body: bytes) -> None:
    before = (await noted(till), await told_in_all(till))
    await report(till, body)
    assert (await noted(till), await told_in_all(till)) == before


@pytest.mark.parametrize("name", ["stripe", "nobody", ""])
async def test_a_provider_that_is_not_ours_is_unknown(till: Till, name: str) -> None:
    body = report_about(new_order_id())
    with pytest.raises(UnknownProvider) as refused:
        await till.payments.receive_webhook(name, signed(body, till.psp.webhook_secret), body)
    assert refused.value.code == "payments.unknown_provider"


async def test_without_a_secret_every_report_is_forged(till: Till) -> None:
    provider = provider_at(till.psp, till.session, knows_secret=False)
    payments = PaymentsService(PaymentsStore(till.database), provider)
    body = report_about(new_order_id())
    with pytest.raises(ForgedWebhook):
        await payments.receive_webhook("sandbox", signed(body, ""), body)
