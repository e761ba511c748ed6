"""Payments over HTTP: what staff see of the money, and nobody else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from api.payments.app import payments_app
from contracts.identity import IDENTITY_HEADER, Identity, Role
from contracts.money import Money
from contracts.payments import AuthorizePayment, CapturePayment, RefundPayment, VoidPayment
from contracts.problems import PROBLEM_JSON
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from services.payments.errors import CaptureFailed, PaymentDeclined
from services.payments.factory import open_payments
from services.payments.service import PaymentsService
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.psp_process import running_psp

SECRET = "a secret of the tests"


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


def shown(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "EUR"}


@dataclass(frozen=True)
class Office:
    """The API, beside the service that does the work which it shows."""

    session: aiohttp.ClientSession
    payments: PaymentsService

    async def authorized(self, token: str = "tok_ok") -> str:
        order_id = uuid4().hex
        await self.payments.authorize(AuthorizePayment(order_id=order_id, amount=euros(1000), token=token))
        return order_id

    async def get(self, order_id: str, role: Role | None = Role.STAFF) -> tuple[int, Any]:
        headers = {}
        if role is not None:
            identity = Identity(subject="ada", roles=frozenset({role}))
            headers[IDENTITY_HEADER] = IdentitySigner(SECRET).sign(identity)
        async with self.session.get(f"/v1/admin/payments/{order_id}", headers=headers) as response:
            assert (response.content_type == PROBLEM_JSON) is (response.status >= 400)
            return response.status, await response.json(content_type=None)


@pytest.fixture(scope="module")
async def office(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    async with running_psp(tmp_path_factory.mktemp("psp")) as psp:
        settings = Settings(
            identity_secret=SecretStr(SECRET),
            service_secret=SecretStr(SECRET),
            payments_database_url=SecretStr(await fresh_database("payments")),
            psp_api_key=SecretStr(psp.api_key),
            psp_webhook_secret=SecretStr(psp.webhook_secret),
            psp_url=psp.url,
        )
        async with (
            open_payments(settings) as payments,
            serving(payments_app(settings)) as url,
            aiohttp.ClientSession(url) as session,
        ):
            yield Office(session, payments)


async def test_staff_see_a_payment_with_every_movement(office: Office) -> None:
    order_id = await office.authorized()
    await office.payments.capture(CapturePayment(order_id=order_id))
    await office.payments.refund(RefundPayment(order_id=order_id, amount=euros(300), key="key"))
    status, payment = await office.get(order_id)
    ledger = payment.pop("ledger")
    assert status == 200
    assert payment.pop("provider_id").startswith("auth_")
    assert payment == {
        "order_id": order_id,
        "state": "captured",
        "amount": shown(1000),
        "captured": shown(1000),
        "refunded": shown(300),
        "decline_reason": None,
        "action_url": None,
        "capture_failure": None,
    }
    assert [(entry["kind"], entry["amount"], entry["state"]) for entry in ledger] == [
        ("authorization", shown(1000), "done"),
        ("capture", shown(1000), "done"),
        ("refund", shown(300), "done"),
    ]
    assert len({entry["key"] for entry in ledger}) == 3
    for entry in ledger:
        assert datetime.fromisoformat(entry["created_at"]) <= datetime.fromisoformat(entry["settled_at"])


async def test_a_decline_is_shown_with_its_reason(office: Office) -> None:
    order_id = uuid4().hex
    with pytest.raises(PaymentDeclined):
        await office.payments.authorize(
            AuthorizePayment(order_id=order_id, amount=euros(1000), token="tok_insufficient_funds")
        )
    _, payment = await office.get(order_id)
    assert (payment["state"], payment["decline_reason"]) == ("declined", "insufficient_funds")
    assert [entry["state"] for entry in payment["ledger"]] == ["refused"]


async def test_what_a_buyer_has_to_do_is_shown(office: Office) -> None:
    order_id = await office.authorized("tok_action_required")
    _, payment = await office.get(order_id)
    assert (payment["state"], payment["ledger"][0]["state"]) == ("authorizing", "pending")
    assert "/v1/actions/auth_" in payment["action_url"]


async def test_a_failed_capture_is_shown_with_its_reason(office: Office) -> None:
    order_id = await office.authorized("tok_capture_fails")
    with pytest.raises(CaptureFailed):
        await office.payments.capture(CapturePayment(order_id=order_id))
    _, payment = await office.get(order_id)
    assert (payment["state"], payment["capture_failure"]) == ("authorized", "capture_declined")


async def test_an_order_that_was_stopped_before_it_paid_is_shown(office: Office) -> None:
    order_id = uuid4().hex
    await office.payments.void(VoidPayment(order_id=order_id))
    status, payment = await office.get(order_id)
    assert (status, payment["state"], payment["ledger"]) == (200, "voided", [])


async def test_the_buyers_token_is_not_shown(office: Office) -> None:
    status, payment = await office.get(await office.authorized())
    assert status == 200
    assert "tok_" not in str(payment)


async def test_an_unknown_order_is_not_found(office: Office) -> None:
    status, problem = await office.get("nobody-s")
    assert (status, problem["code"]) == (404, "payments.not_found")


@pytest.mark.parametrize(
    ("role", "refusal"), [(None, (401, "auth.unauthenticated")), (Role.CUSTOMER, (403, "auth.forbidden"))]
)
async def test_only_staff_see_payments(office: Office, role: Role | None, refusal: tuple[int, str]) -> None:
    status, problem = await office.get(await office.authorized(), role)
    assert (status, problem["code"]) == refusal


@pytest.mark.parametrize("order_id", ["%00", "a%00b", "%ED%A0%80", "x" * 65])
async def test_what_cannot_be_an_order_is_refused(office: Office, order_id: str) -> None:
    status, problem = await office.get(order_id)
    assert (status, problem["code"]) == (422, "request.invalid")
