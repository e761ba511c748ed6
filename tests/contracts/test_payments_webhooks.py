"""Webhooks over HTTP, from the provider's own process and from anybody else."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from api.payments.app import payments_app
from api.payments.webhooks import LIMIT_BYTES
from contracts.money import Money
from contracts.payments import PROVIDER_REPORTED, AuthorizePayment, VoidPayment
from runtime.database import Database
from runtime.settings import MissingSetting, Settings
from services.payments.factory import open_payments
from services.payments.service import PaymentsService
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.polling import until
from tests.provider_reports import report_about, signed
from tests.psp_process import Psp, running_psp
from tests.stores.outbox import events_about

PRICE = Money(amount=1000, currency="EUR")
SANDBOX = "/v1/payments/webhooks/sandbox"


@dataclass(frozen=True)
class Desk:
    """Payments' API, to which the provider's process reports."""

    psp: Psp
    session: aiohttp.ClientSession
    payments: PaymentsService
    database: Database

    async def post(
        self, body: bytes, headers: dict[str, str], path: str = SANDBOX
    ) -> tuple[int, dict[str, Any] | None]:
        async with self.session.post(path, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def reports(self, order_id: str) -> int:
        told = await events_about(self.database, order_id)
        return [event.type for event in told].count(PROVIDER_REPORTED)

    async def reported(self, order_id: str, times: int) -> None:
        """Wait until the provider has told so much about an order."""

        async def enough() -> bool:
            return await self.reports(order_id) >= times

        await until(enough)


@pytest.fixture(scope="module")
async def desk(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Desk]:
    async with running_psp(tmp_path_factory.mktemp("psp")) as psp:
        url = await fresh_database("payments")
        database = Database(url)
        settings = Settings(
            identity_secret=SecretStr("a secret of the tests"),
            service_secret=SecretStr("a secret of the tests"),
            payments_database_url=SecretStr(url),
            psp_api_key=SecretStr(psp.api_key),
            psp_webhook_secret=SecretStr(psp.webhook_secret),
            psp_url=psp.url,
        )
        async with (
            open_payments(settings) as payments,
            serving(payments_app(settings)) as api,
            aiohttp.ClientSession(api) as session,
        ):
            psp.webhook_url = f"{api}{SANDBOX}"
            await psp.restart()
            yield Desk(psp, session, payments, database)
        await database.dispose()


def authorization(order_id: str, token: str = "tok_action_required") -> AuthorizePayment:
    return AuthorizePayment(order_id=order_id, amount=PRICE, token=token)


async def test_the_provider_reports_what_the_buyer_did(desk: Desk) -> None:
    order_id = uuid4().hex
    waiting = await desk.payments.authorize(authorization(order_id))
    assert waiting.action_url is not None
    await desk.reported(order_id, 1)
    async with desk.session.post(waiting.action_url, json={"outcome": "approve"}) as answer:
        assert answer.status == 200
    await desk.reported(order_id, 2)
    payment = await desk.payments.authorize(authorization(order_id))
    assert payment.state is PaymentState.AUTHORIZED


async def test_reports_of_a_whole_life_leave_the_payment_as_the_calls_made_it(desk: Desk) -> None:
    orders = [uuid4().hex for _ in range(10)]

    async def live(order_id: str) -> None:
        await desk.payments.authorize(authorization(order_id, "tok_ok"))
        await desk.payments.void(VoidPayment(order_id=order_id))

    await asyncio.gather(*map(live, orders))
    for order_id in orders:
        await desk.reported(order_id, 1)
        payment, _ = await desk.payments.payment_of(order_id)
        assert payment.state is PaymentState.VOIDED
        events = await events_about(desk.database, order_id)
        assert len({event.sequence for event in events}) == len(events)


async def test_a_replay_is_harmless(desk: Desk) -> None:
    order_id = uuid4().hex
    body = report_about(order_id)
    headers = signed(body, desk.psp.webhook_secret)
    assert [await desk.post(body, headers) for _ in range(2)] == [(204, None)] * 2
    assert await desk.reports(order_id) == 1


@pytest.mark.parametrize("fault", ["none", "garbage", "secret", "stale"])
async def test_a_forged_webhook_is_refused(desk: Desk, fault: str) -> None:
    order_id = uuid4().hex
    body = report_about(order_id)
    headers = {
        "none": {},
        "garbage": {"psp-signature": "t=now,v1=yes"},
        "secret": signed(body, "another secret"),
        "stale": signed(body, desk.psp.webhook_secret, age_seconds=600),
    }[fault]
    status, problem = await desk.post(body, headers)
    assert problem is not None
    assert (status, problem["code"]) == (401, "payments.forged_webhook")
    assert await desk.reports(order_id) == 0


async def test_garbage_that_is_signed_is_taken_and_forgotten(desk: Desk) -> None:
    body = b"\xff nonsense"
    assert await desk.post(body, signed(body, desk.psp.webhook_secret)) == (204, None)


async def test_an_unknown_provider_is_not_found(desk: Desk) -> None:
    status, problem = await desk.post(b"{}", {}, "/v1/payments/webhooks/nobody")
    assert problem is not None
    assert (status, problem["code"]) == (404, "payments.unknown_provider")


@pytest.mark.parametrize(
    ("provider", "refusal"),
    [("x" * 32, (404, "payments.unknown_provider")), ("x" * 33, (422, "request.invalid"))],
)
async def test_a_providers_name_has_an_end(desk: Desk, provider: str, refusal: tuple[int, str]) -> None:
    status, problem = await desk.post(b"{}", {}, f"/v1/payments/webhooks/{provider}")
    assert problem is not None
    assert (status, problem["code"]) == refusal


async def test_a_webhook_has_a_limit(desk: Desk) -> None:
    body = b" " * (LIMIT_BYTES + 1)
    status, problem = await desk.post(body, signed(body, desk.psp.webhook_secret))
    assert problem is not None
    assert (status, problem["code"]) == (413, "request.too_large")


@pytest.mark.parametrize("provider", ["sandbox", "stripe"])
def test_the_api_does_not_start_without_a_secret_to_tell_forgers_by(provider: str) -> None:
    settings = Settings(
        identity_secret=SecretStr("x"), service_secret=SecretStr("x"), payment_provider=provider
    )
    with pytest.raises(MissingSetting, match="WEBHOOK_SECRET"):
        payments_app(settings)
