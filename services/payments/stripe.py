"""Stripe, over its own library: an order is a PaymentIntent that is captured by hand."""

import logging
from collections.abc import Awaitable, Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import aiohttp
import stripe

from contracts.errors import Unavailable
from contracts.money import Money
from services.payments.errors import ForgedWebhook
from services.payments.provider import Authorization, Declined, Report
from services.payments.sandbox import UnexpectedAnswer
from services.payments.stripe_answers import (
    Intent,
    Refund,
    Refusal,
    authorization_of,
    is_passing,
    is_undecided,
    report_of,
)
from services.payments.stripe_http import BoundedClient

if TYPE_CHECKING:
    from stripe.params import PaymentIntentCreateParams

# The version whose answers the models here were written for, whatever the account's own default is.
API_VERSION = "2026-10-28.endive"
ORDER = "order_id"
KEY = "micromart_key"

T = TypeVar("T")

# Its debug lines carry whole bodies, and telemetry writes an id of this machine into the home directory.
logging.getLogger("stripe").setLevel(logging.WARNING)
stripe.enable_telemetry = False


class StripeProvider:
    """Talks to Stripe with bounded waits and no retries of its own; closed by leaving its context.

    What creates is sent with the key. Cancelling and capturing go without: an intent's own state lets each
    happen once, and under a key Stripe would keep the answer of a failure, a 500 too, for a day.
    """

    name = "stripe"

    def __init__(
        self,
        *,
        api_key: str,
        webhook_secret: str | None,
        api_base: str,
        timeout_seconds: float,
        tolerance_seconds: float,
        return_url: str | None = None,
    ) -> None:
        """Without `return_url`, where a bank's page sends its buyer, cards that ask for one are declined."""
        self._webhook_secret = webhook_secret
        self._tolerance_seconds = tolerance_seconds
        self._return_url = return_url
        self._http = BoundedClient(timeout=aiohttp.ClientTimeout(total=timeout_seconds))
        client = stripe.StripeClient(
            api_key,
            stripe_version=API_VERSION,
            base_addresses={"api": api_base.rstrip("/")},
            http_client=self._http,
            max_network_retries=0,
        )
        self._intents = client.v1.payment_intents
        self._refunds = client.v1.refunds

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def authorize(self, *, key: str, amount: Money, token: str, reference: str) -> Authorization:
        params: PaymentIntentCreateParams = {
            "amount": amount.amount,
            "currency": amount.currency.lower(),
            "capture_method": "manual",
            "confirm": True,
            "payment_method": token,
            "allowed_payment_method_types": ["card"],
            "metadata": {ORDER: reference, KEY: key},
        }
        if self._return_url is None:
            params["error_on_requires_action"] = True
        else:
            params["return_url"] = self._return_url
        try:
            intent = _intent(await _asked(self._intents.create_async(params, {"idempotency_key": key})))
        except Refusal as refusal:
            declined = refusal.declines_authorization()
            if declined is None:
                raise
            return declined
        # A repeat is given the first answer again, from before the buyer acted.
        return authorization_of(await self._look(intent.id) if is_passing(intent) else intent)

    async def find(self, *, key: str) -> Authorization | None:
        """By search, which lags behind by a minute, in bad times an hour.

        What it cannot see yet is younger than the day for which Stripe keeps the key: asking again gets the
        stored answer. What it finds it may tell in an old state, so the intent itself is asked.
        """
        found = await _asked(self._intents.search_async({"query": f'metadata["{KEY}"]:"{key}"', "limit": 1}))
        if not found.data:
            return None
        intent = await self._look(found.data[0].id)
        return None if is_undecided(intent) else authorization_of(intent)

    async def void(self, *, key: str, provider_id: str) -> None:
        try:
            await _asked(self._intents.cancel_async(provider_id))
        except Refusal:
            if (await self._look(provider_id)).status != "canceled":
                raise

    async def capture(self, *, key: str, provider_id: str, amount: Money) -> Declined | None:
        try:
            await _asked(self._intents.capture_async(provider_id, {"amount_to_capture": amount.amount}))
        except Refusal as refusal:
            now = (await self._look(provider_id)).status
            if now == "succeeded":
                return None
            declined = Declined("canceled") if now == "canceled" else refusal.declines_capture()
            if declined is None:
                raise
            return declined
        return None

    async def refund(self, *, key: str, provider_id: str, amount: Money) -> None:
        """Looks first: a refund may be repeated when Stripe has long forgotten its key."""
        refund = await _asked(self._refund_made(provider_id, key))
        if refund is None:
            answer = await _asked(
                self._refunds.create_async(
                    {"payment_intent": provider_id, "amount": amount.amount, "metadata": {KEY: key}},
                    {"idempotency_key": key},
                )
            )
            refund = Refund.model_validate(answer.to_dict())
        if refund.status in ("failed", "canceled"):
            raise UnexpectedAnswer(f"the refund {refund.id} at Stripe is {refund.status}")

    def report_in(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Report | None:
        header = headers.get("stripe-signature", "")
        try:
            # The library measures age by a clock of its own, so it is left to check the signature only.
            stripe.WebhookSignature.verify_header(body, header, self._webhook_secret)
            # The first time, as the library takes it: that one is signed, another might be added.
            signed_at = int(next(part[2:] for part in header.split(",") if part.startswith("t=")))
        except (stripe.SignatureVerificationError, ValueError, TypeError):
            raise ForgedWebhook("the webhook's signature does not hold") from None
        if abs(now.timestamp() - signed_at) > self._tolerance_seconds:
            raise ForgedWebhook("the webhook was signed too long ago, or by a clock that is wrong")
        return report_of(self.name, body, ORDER)

    async def _look(self, intent_id: str) -> Intent:
        return _intent(await _asked(self._intents.retrieve_async(intent_id)))

    async def _refund_made(self, provider_id: str, key: str) -> Refund | None:
        page = await self._refunds.list_async({"payment_intent": provider_id, "limit": 100})
        async for entry in page.auto_paging_iter():
            refund = Refund.model_validate(entry.to_dict())
            if (refund.metadata or {}).get(KEY) == key:
                return refund
        return None


def _intent(answer: stripe.PaymentIntent) -> Intent:
    return Intent.model_validate(answer.to_dict())


async def _asked(call: Awaitable[T]) -> T:
    """The answer of a call; a no is a Refusal, and what says nothing about the outcome is Unavailable."""
    try:
        return await call
    except (stripe.APIConnectionError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable("Stripe gave no answer that can be read; what happened there is unknown") from error
    except stripe.StripeError as error:
        status = error.http_status or 0
        # A 409 is the very same request, still at work.
        if status in (409, 429) or status >= 500 or isinstance(error, stripe.RateLimitError):
            raise Unavailable(f"Stripe answered {status}", retry_after=1) from None
        # Not chained: the library's error carries the whole body.
        raise Refusal(error) from None
