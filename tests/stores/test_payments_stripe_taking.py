"""Taking and giving back at Stripe: what is sent, and what is made of the answers."""

from collections.abc import AsyncIterator

import pytest
from starlette.responses import JSONResponse, Response

from contracts.errors import Unavailable
from services.payments.provider import Declined
from services.payments.sandbox import UnexpectedAnswer
from tests.stores.stripe_line import (
    Line,
    card_error,
    intent,
    invalid,
    open_line,
    refund,
    refunds,
    refusal,
)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as line:
        yield line


@pytest.mark.parametrize("call", ["capture", "void"])
async def test_what_an_intents_state_lets_happen_once_leaves_no_stored_failure(line: Line, call: str) -> None:
    line.will_answer(*(refusal(500, type="api_error") for _ in range(2)))
    for _ in range(2):
        with pytest.raises(Unavailable):
            await getattr(line, call)()
    first, second = (sent.headers["idempotency-key"] for sent in line.wire.sent)
    assert first != second


@pytest.mark.parametrize(
    ("refused", "by_now", "outcome"),
    [
        (invalid("payment_intent_unexpected_state"), "succeeded", None),
        (invalid("payment_intent_unexpected_state"), "canceled", Declined("canceled")),
        (invalid("charge_expired_for_capture"), "requires_capture", Declined("authorization_expired")),
        (card_error("card_declined"), "requires_capture", Declined("declined")),
    ],
    ids=["taken already", "let go", "expired", "declined"],
)
async def test_a_refused_capture_is_what_the_intent_says_by_now(
    line: Line, refused: Response, by_now: str, outcome: Declined | None
) -> None:
    line.will_answer(refused, intent(by_now))
    assert await line.capture() == outcome


async def test_a_capture_refused_for_no_known_reason_is_a_bug(line: Line) -> None:
    line.will_answer(invalid("parameter_invalid_integer", "amount_to_capture"), intent("requires_capture"))
    with pytest.raises(UnexpectedAnswer):
        await line.capture()


async def test_a_capture_names_its_amount(line: Line) -> None:
    line.will_answer(intent("succeeded"))
    await line.capture()
    assert line.wire.calls == ["POST /v1/payment_intents/pi_1/capture"]
    assert line.wire.sent[0].fields == {"amount_to_capture": "1999"}


async def test_a_refund_is_sent_with_its_key(line: Line) -> None:
    line.will_answer(refunds(), JSONResponse(refund("succeeded")))
    await line.refund()
    looked, sent = line.wire.sent
    assert (looked.method, looked.fields["payment_intent"]) == ("GET", "pi_1")
    assert sent.headers["idempotency-key"] == "refund-key"
    assert sent.fields == {
        "payment_intent": "pi_1",
        "amount": "1999",
        "metadata[micromart_key]": "refund-key",
    }


async def test_a_refund_that_was_made_is_not_made_again_when_its_key_is_forgotten(line: Line) -> None:
    line.will_answer(refunds(refund("succeeded", "other"), has_more=True), refunds(refund("pending")))
    await line.refund()
    assert line.wire.calls == ["GET /v1/refunds"] * 2


async def test_a_refund_that_failed_at_the_bank_needs_a_person(line: Line) -> None:
    line.will_answer(refunds(refund("failed")))
    with pytest.raises(UnexpectedAnswer, match="re_1 at Stripe is failed"):
        await line.refund()
