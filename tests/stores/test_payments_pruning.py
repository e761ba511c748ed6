"""What providers reported long ago is dropped, and nobody can make anything of it afterwards."""

import asyncio
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from contracts.payments import PAYMENT_VOIDED, PROVIDER_REPORTED
from runtime.clock import utc_now
from runtime.settings import Settings
from services.payments.errors import ForgedWebhook
from services.payments.service import REPORTS_KEPT, PaymentsService
from services.payments.store import PRUNED_AT_ONCE, PaymentsStore
from services.payments.tables import PaymentState
from tests.polling import until
from tests.provider_reports import report_about, signed
from tests.stores.payments_till import Till, new_order_id
from workers.payments import ReportsPruner

AN_HOUR = timedelta(hours=1)
LATER = REPORTS_KEPT + AN_HOUR


@pytest.fixture(autouse=True)
async def _no_reports(till: Till) -> None:
    async with till.database.begin() as connection:
        await connection.execute(text("DELETE FROM webhooks"))


def after(till: Till, passed: timedelta) -> PaymentsService:
    """The same payments, when so much time has passed."""

    def clock() -> datetime:
        return utc_now() + passed

    return PaymentsService(PaymentsStore(till.database), till.provider, clock)


async def report(till: Till, body: bytes, passed: timedelta = timedelta()) -> None:
    """A report as the provider sends it, signed anew each time."""
    headers = signed(body, till.psp.webhook_secret, age_seconds=-passed.total_seconds())
    await after(till, passed).receive_webhook("sandbox", headers, body)


async def noted(till: Till) -> int:
    async with till.database.begin() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM webhooks"))).scalar_one())


async def test_reports_are_dropped_when_they_are_old_and_not_before(till: Till) -> None:
    await report(till, report_about(new_order_id()))
    await report(till, report_about(new_order_id()), 2 * AN_HOUR)
    assert await after(till, REPORTS_KEPT - AN_HOUR).forget_old_reports() == 0
    assert await after(till, LATER).forget_old_reports() == 1
    assert await noted(till) == 1


async def test_however_many_there_are_all_old_ones_are_dropped_by_several_at_once(till: Till) -> None:
    many = PRUNED_AT_ONCE + 1
    async with till.database.begin() as connection:
        await connection.execute(
            text(
                "INSERT INTO webhooks (provider, report_id, order_id, received_at)"
                " SELECT 'sandbox', 'evt_' || n, 'order', now() FROM generate_series(1, :many) n"
            ),
            {"many": many},
        )
    pruning = after(till, LATER)
    dropped = await asyncio.gather(*(pruning.forget_old_reports() for _ in range(3)))
    assert (sum(dropped), await noted(till)) == (many, 0)


async def test_a_replay_of_what_was_dropped_is_too_old_to_be_heard(till: Till) -> None:
    order_id = new_order_id()
    body = report_about(order_id)
    headers = signed(body, till.psp.webhook_secret)
    await till.payments.receive_webhook("sandbox", headers, body)
    then = after(till, LATER)
    assert await then.forget_old_reports() == 1
    with pytest.raises(ForgedWebhook):
        await then.receive_webhook("sandbox", headers, body)
    assert (await noted(till), await till.told(order_id)) == (0, [PROVIDER_REPORTED])


async def test_what_was_dropped_and_is_signed_anew_moves_no_money(till: Till) -> None:
    """Only the provider can sign so; it makes us ask what is true, as any report does."""
    order_id = new_order_id()
    await till.asked(order_id)
    await till.void(order_id)
    body = report_about(order_id)
    await report(till, body)
    await till.settle_report(order_id)
    assert await after(till, LATER).forget_old_reports() == 1
    before = (await till.movements(order_id), till.at_psp(order_id))
    await report(till, body, LATER)
    await till.settle_report(order_id)
    assert (await till.told(order_id))[-3:] == [PAYMENT_VOIDED, PROVIDER_REPORTED, PROVIDER_REPORTED]
    assert (await till.movements(order_id), till.at_psp(order_id)) == before
    assert await till.state(order_id) is PaymentState.VOIDED


async def test_the_worker_drops_what_is_old(till: Till) -> None:
    await report(till, report_about(new_order_id()))

    async def is_dropped() -> bool:
        return await noted(till) == 0

    pruning = asyncio.create_task(ReportsPruner(after(till, LATER)).prune())
    try:
        await until(is_dropped)
    finally:
        pruning.cancel()
        await asyncio.wait({pruning})


def test_no_signature_is_fresh_for_as_long_as_reports_are_kept() -> None:
    with pytest.raises(ValidationError, match="webhook_tolerance_seconds"):
        Settings(webhook_tolerance_seconds=REPORTS_KEPT.total_seconds() / 2)
