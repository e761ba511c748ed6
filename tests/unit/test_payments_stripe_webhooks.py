"""Which of Stripe's messages are believed, and what they are about."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from structlog.testing import capture_logs

from services.payments.errors import ForgedWebhook
from services.payments.provider import Report
from services.payments.stripe import StripeProvider

SECRET = "whsec_ours"
# Years from the clock of the machine: only the time that is given counts.
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
TOLERANCE = 300
ORDER_ID = "4711"


def adapter(secret: str | None) -> StripeProvider:
    return StripeProvider(
        api_key="sk_test_x",
        webhook_secret=secret,
        api_base="http://127.0.0.1:1",
        timeout_seconds=1.0,
        tolerance_seconds=TOLERANCE,
    )


@pytest.fixture
async def provider() -> AsyncIterator[StripeProvider]:
    async with adapter(SECRET) as provider:
        yield provider


def message(kind: str = "payment_intent.amount_capturable_updated", order_id: str | None = ORDER_ID) -> bytes:
    metadata = {"order_id": order_id} if order_id is not None else {}
    about = {"id": "pi_1", "object": "payment_intent", "metadata": metadata}
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": about}}).encode()


def signed(body: bytes, *, at: datetime = NOW, secret: str = SECRET) -> str:
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp())))


def heard(provider: StripeProvider, body: bytes, signature: str | None = None) -> Report | None:
    header = signed(body) if signature is None else signature
    return provider.report_in({"stripe-signature": header}, body, NOW)


@pytest.mark.parametrize(
    "kind",
    ["payment_intent.amount_capturable_updated", "payment_intent.payment_failed", "charge.refunded"],
)
async def test_a_message_is_about_its_order(provider: StripeProvider, kind: str) -> None:
    assert heard(provider, message(kind)) == Report("evt_1", ORDER_ID)


@pytest.mark.parametrize(
    "body",
    [
        message("customer.created"),
        message(order_id=None),
        message(order_id="not one of ours"),
        message(order_id="x" * 65),
        b'{"id": "evt_1", "object": "event", "type": "charge.dispute.created", "data": {"object": {}}}',
        b'{"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"}',
    ],
    ids=["another kind", "no order", "no order's id", "too long an id", "no metadata", "a thin event"],
)
async def test_what_is_about_nothing_of_ours_is_believed_and_passed_over(
    provider: StripeProvider, body: bytes
) -> None:
    assert heard(provider, body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'{"id": "evt_1"}',
        b'{"id": "evt_1", "type": "charge.refunded", "data": {"object": null}}',
        message().replace(b"evt_1", b"evt_" + b"1" * 255),
        message().replace(b"evt_1", rb"evt_\u0000"),
    ],
    ids=["nothing", "no JSON", "a list", "no type", "about nothing", "a long id", "an id with a NUL"],
)
async def test_what_is_signed_and_cannot_be_read_is_logged_and_passed_over(
    provider: StripeProvider, body: bytes
) -> None:
    with capture_logs() as lines:
        assert heard(provider, body) is None
    [line] = lines
    assert (line["event"], line["provider"]) == ("a signed webhook cannot be read", "stripe")


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "nonsense",
        "t=,v1=",
        f"t={int(NOW.timestamp())}",
        f"t={int(NOW.timestamp())},v1=\u00e9",
        signed(message(), secret="whsec_other"),
        signed(message(order_id="4712")),
        signed(message()).replace("v1=", "v0="),
    ],
    ids=["none", "nonsense", "empty", "no hash", "not ascii", "other secret", "other body", "other scheme"],
)
async def test_what_stripe_did_not_sign_is_refused(provider: StripeProvider, signature: str) -> None:
    with pytest.raises(ForgedWebhook):
        heard(provider, message(), signature)


async def test_a_message_without_the_header_is_refused(provider: StripeProvider) -> None:
    with pytest.raises(ForgedWebhook):
        provider.report_in({}, message(), NOW)


async def test_a_body_that_is_no_text_is_refused(provider: StripeProvider) -> None:
    with pytest.raises(ForgedWebhook):
        heard(provider, b"\xff\xfe", signed(message()))


async def test_without_a_secret_nothing_is_believed() -> None:
    async with adapter(None) as provider:
        with pytest.raises(ForgedWebhook):
            heard(provider, message())


async def test_while_a_secret_is_exchanged_either_signature_holds(provider: StripeProvider) -> None:
    _, new = signed(message(), secret="whsec_new").split(",")
    _, old = signed(message()).split(",")
    assert heard(provider, message(), f"t={int(NOW.timestamp())},{new},{old}") is not None


@pytest.mark.parametrize("age", [timedelta(seconds=TOLERANCE), timedelta(seconds=-TOLERANCE)])
async def test_a_signature_holds_for_a_while(provider: StripeProvider, age: timedelta) -> None:
    assert heard(provider, message(), signed(message(), at=NOW - age)) is not None


@pytest.mark.parametrize("age", [timedelta(seconds=TOLERANCE + 1), timedelta(seconds=-TOLERANCE - 1)])
async def test_a_stale_signature_is_refused(provider: StripeProvider, age: timedelta) -> None:
    with pytest.raises(ForgedWebhook, match="too long ago"):
        heard(provider, message(), signed(message(), at=NOW - age))


async def test_a_stale_signature_is_not_freshened_by_a_second_time(provider: StripeProvider) -> None:
    stale = signed(message(), at=NOW - timedelta(days=1))
    with pytest.raises(ForgedWebhook):
        heard(provider, message(), f"{stale},t={int(NOW.timestamp())}")
