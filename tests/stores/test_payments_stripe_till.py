"""Payments over its own database and Stripe's stand-in: the whole way of an order's money."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest

from contracts.money import Money
from contracts.payments import (
    AuthorizePayment,
    CapturePayment,
    GiveBackPayment,
    RefundPayment,
    VoidPayment,
)
from runtime.database import Database
from services.payments.errors import PaymentDeclined
from services.payments.service import PaymentsService
from services.payments.store import PaymentsStore
from services.payments.stripe import StripeProvider
from services.payments.tables import PaymentState
from tests.conftest import FreshDatabase
from tests.localstripe_process import API_KEY, DECLINED, GOOD, LocalStripe, running_localstripe

PRICE = Money(amount=1000, currency="EUR")


@dataclass(frozen=True)
class Till:
    payments: PaymentsService
    localstripe: LocalStripe

    async def authorized(self) -> str:
        order_id = uuid4().hex
        await self.payments.authorize(AuthorizePayment(order_id=order_id, amount=PRICE, token=GOOD))
        return order_id

    async def state(self, order_id: str) -> PaymentState:
        payment, _ = await self.payments.payment_of(order_id)
        return payment.state

    async def at_stripe(self, order_id: str) -> tuple[str, list[int]]:
        """How the order's one intent stands there, and what was given back of it."""
        [intent] = await self.localstripe.intents_of(order_id)
        return intent["status"], await self.localstripe.refunds(intent["id"])


@pytest.fixture(scope="module")
async def till(fresh_database: FreshDatabase) -> AsyncIterator[Till]:
    database = Database(await fresh_database("payments"), pool_size=5)
    try:
        async with (
            running_localstripe() as localstripe,
            StripeProvider(
                api_key=API_KEY,
                webhook_secret=None,
                api_base=localstripe.url,
                timeout_seconds=10.0,
                tolerance_seconds=300.0,
            ) as stripe,
        ):
            yield Till(PaymentsService(PaymentsStore(database), stripe), localstripe)
    finally:
        await database.dispose()


async def test_an_order_is_paid_and_partly_refunded(till: Till) -> None:
    order_id = await till.authorized()
    assert await till.at_stripe(order_id) == ("requires_capture", [])
    await till.payments.capture(CapturePayment(order_id=order_id))
    for _ in range(2):
        await till.payments.refund(
            RefundPayment(order_id=order_id, amount=Money(amount=400, currency="EUR"), key="parcel")
        )
    payment, _ = await till.payments.payment_of(order_id)
    assert (payment.state, payment.captured, payment.refunded) == (PaymentState.CAPTURED, 1000, 400)
    assert await till.at_stripe(order_id) == ("succeeded", [400])


async def test_an_order_is_let_go(till: Till) -> None:
    order_id = await till.authorized()
    for _ in range(2):
        await till.payments.void(VoidPayment(order_id=order_id))
    assert await till.state(order_id) is PaymentState.VOIDED
    assert await till.at_stripe(order_id) == ("canceled", [])


async def test_a_paid_order_is_given_back(till: Till) -> None:
    order_id = await till.authorized()
    await till.payments.capture(CapturePayment(order_id=order_id))
    for _ in range(2):
        await till.payments.give_back(GiveBackPayment(order_id=order_id))
    assert await till.at_stripe(order_id) == ("succeeded", [1000])


async def test_a_declined_order_has_no_money(till: Till) -> None:
    order_id = uuid4().hex
    with pytest.raises(PaymentDeclined):
        await till.payments.authorize(AuthorizePayment(order_id=order_id, amount=PRICE, token=DECLINED))
    assert await till.state(order_id) is PaymentState.DECLINED
