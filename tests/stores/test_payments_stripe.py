"""The Stripe adapter against localstripe's own process.

localstripe knows no idempotency keys, no search and no page for the buyer: what the adapter makes of these is
shown in test_payments_stripe_authorize.py and test_payments_stripe_taking.py.
"""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.errors import Unavailable
from contracts.money import Money
from runtime.clock import utc_now
from services.payments.provider import Authorization, Declined, Held, Report
from services.payments.sandbox import UnexpectedAnswer
from services.payments.stripe import StripeProvider
from tests.http_server import serving
from tests.localstripe_process import (
    API_KEY,
    ASKS_BUYER,
    DECLINED,
    GOOD,
    LocalStripe,
    running_localstripe,
)
from tests.ports import free_port

PRICE = Money(amount=1999, currency="EUR")
SECRET = "whsec_ours"


@pytest.fixture(scope="module")
async def localstripe() -> AsyncIterator[LocalStripe]:
    async with running_localstripe() as localstripe:
        yield localstripe


def adapter(url: str) -> StripeProvider:
    return StripeProvider(
        api_key=API_KEY, webhook_secret=SECRET, api_base=url, timeout_seconds=10.0, tolerance_seconds=300.0
    )


@pytest.fixture(scope="module")
async def stripe(localstripe: LocalStripe) -> AsyncIterator[StripeProvider]:
    async with adapter(localstripe.url) as stripe:
        yield stripe


def new_order_id() -> str:
    return uuid4().hex


async def asked(stripe: StripeProvider, token: str, order_id: str | None = None) -> Authorization:
    reference = order_id or new_order_id()
    return await stripe.authorize(
        key=f"checkout-{reference}:authorize", amount=PRICE, token=token, reference=reference
    )


async def held(stripe: StripeProvider, order_id: str | None = None) -> str:
    answer = await asked(stripe, GOOD, order_id)
    assert isinstance(answer, Held)
    return answer.provider_id


async def captured(stripe: StripeProvider) -> str:
    intent_id = await held(stripe)
    assert await stripe.capture(key="key", provider_id=intent_id, amount=PRICE) is None
    return intent_id


async def test_an_amount_is_held_and_not_taken(stripe: StripeProvider, localstripe: LocalStripe) -> None:
    order_id = new_order_id()
    intent = await localstripe.intent(await held(stripe, order_id))
    assert (intent["status"], intent["amount"], intent["currency"]) == ("requires_capture", 1999, "eur")
    assert intent["metadata"] == {
        "order_id": order_id,
        "micromart_key": f"checkout-{order_id}:authorize",
    }


async def test_a_card_without_cover_is_declined(stripe: StripeProvider) -> None:
    assert await asked(stripe, DECLINED) == Declined("declined")


async def test_a_card_that_asks_its_buyer_is_declined_where_there_is_no_page(
    stripe: StripeProvider, localstripe: LocalStripe
) -> None:
    assert await asked(stripe, await localstripe.card(ASKS_BUYER)) == Declined("authentication_required")


async def test_a_token_that_is_none_is_declined(stripe: StripeProvider) -> None:
    assert await asked(stripe, "tok_nonsense") == Declined("unknown_token")


async def test_what_is_held_is_let_go_once(stripe: StripeProvider, localstripe: LocalStripe) -> None:
    intent_id = await held(stripe)
    for _ in range(2):
        await stripe.void(key="key", provider_id=intent_id)
    assert (await localstripe.intent(intent_id))["status"] == "canceled"


async def test_what_was_taken_is_not_let_go(stripe: StripeProvider) -> None:
    intent_id = await captured(stripe)
    with pytest.raises(UnexpectedAnswer):
        await stripe.void(key="key", provider_id=intent_id)


async def test_what_is_held_is_taken_once(stripe: StripeProvider, localstripe: LocalStripe) -> None:
    intent_id = await held(stripe)
    for _ in range(2):
        assert await stripe.capture(key="key", provider_id=intent_id, amount=PRICE) is None
    charge = (await localstripe.intent(intent_id))["latest_charge"]
    assert (charge["captured"], charge["amount"], charge["amount_refunded"]) == (True, 1999, 0)


async def test_parts_are_given_back_each_once(stripe: StripeProvider, localstripe: LocalStripe) -> None:
    intent_id = await captured(stripe)
    for key, amount in [("first", 500), ("rest", 1499), ("first", 500), ("rest", 1499)]:
        await stripe.refund(key=key, provider_id=intent_id, amount=Money(amount=amount, currency="EUR"))
    assert sorted(await localstripe.refunds(intent_id)) == [500, 1499]


async def test_a_message_that_localstripe_signs_is_believed(
    stripe: StripeProvider, localstripe: LocalStripe
) -> None:
    order_id = new_order_id()
    heard: asyncio.Queue[Report | None] = asyncio.Queue()

    async def hear(request: Request) -> Response:
        heard.put_nowait(stripe.report_in(request.headers, await request.body(), utc_now()))
        return Response(status_code=204)

    async with serving(Starlette(routes=[Route("/", hear, methods=["POST"])])) as url:
        await localstripe.send_webhooks_to(url, SECRET)
        await stripe.capture(key="key", provider_id=await held(stripe, order_id), amount=PRICE)
        async with asyncio.timeout(30):
            while (report := await heard.get()) is None or report.order_id != order_id:
                pass
    assert report.id.startswith("evt_")


async def test_nobody_there_is_unavailable() -> None:
    async with adapter(f"http://127.0.0.1:{free_port()}") as nobody:
        with pytest.raises(Unavailable):
            await asked(nobody, GOOD)
