"""Asking Stripe for an amount: what is sent, and what is made of the answers."""

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator

import pytest
from starlette.responses import JSONResponse, Response

from contracts.errors import Unavailable
from services.payments.provider import ActionRequired, Authorization, Declined, Held
from services.payments.sandbox import UnexpectedAnswer
from services.payments.stripe import API_VERSION, StripeProvider
from tests.stores.stripe_line import (
    API_KEY,
    BANK,
    CLIENT_SECRET,
    KEY,
    RETURN_URL,
    Line,
    Wire,
    asks_buyer,
    card_error,
    found,
    intent,
    invalid,
    open_line,
    refusal,
)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as line:
        yield line


async def test_an_authorisation_is_sent_with_its_key_and_pinned_version(line: Line) -> None:
    line.will_answer(intent("requires_capture"))
    assert await line.authorize() == Held("pi_1")
    [sent] = line.wire.sent
    assert (sent.method, sent.path) == ("POST", "/v1/payment_intents")
    assert sent.headers["idempotency-key"] == KEY
    assert sent.headers["stripe-version"] == API_VERSION
    assert sent.fields == {
        "amount": "1999",
        "currency": "eur",
        "capture_method": "manual",
        "confirm": "true",
        "payment_method": "pm_1",
        "allowed_payment_method_types[0]": "card",
        "metadata[order_id]": "4711",
        "metadata[micromart_key]": KEY,
        "return_url": RETURN_URL,
    }


async def test_without_a_page_to_return_to_no_card_may_ask_its_buyer() -> None:
    async with open_line(return_url=None) as line:
        line.will_answer(card_error("card_declined", "authentication_required"))
        assert await line.authorize() == Declined("authentication_required")
    fields = line.wire.sent[0].fields
    assert fields["error_on_requires_action"] == "true"
    assert "return_url" not in fields


async def test_nothing_is_told_of_the_machine_it_runs_on(line: Line) -> None:
    line.will_answer(intent("requires_capture"), intent("requires_capture"))
    for _ in range(2):
        await line.authorize()
    for sent in line.wire.sent:
        assert "x-stripe-client-telemetry" not in sent.headers
        assert "telemetry_id" not in sent.headers["x-stripe-client-user-agent"]


@pytest.mark.parametrize(
    ("code", "decline_code", "reason"),
    [
        ("card_declined", "insufficient_funds", "insufficient_funds"),
        ("card_declined", "stolen_card", "declined"),
        ("card_declined", None, "declined"),
        ("authentication_required", None, "authentication_required"),
        ("expired_card", None, "expired_card"),
        ("incorrect_cvc", "incorrect_cvc", "incorrect_cvc"),
    ],
)
async def test_a_card_error_is_a_decline(
    line: Line, code: str, decline_code: str | None, reason: str
) -> None:
    line.will_answer(card_error(code, decline_code))
    assert await line.authorize() == Declined(reason)


@pytest.mark.parametrize(
    ("code", "param", "reason"),
    [
        ("resource_missing", "payment_method", "unknown_token"),
        (None, None, "unknown_token"),
        ("amount_too_small", "amount", "invalid_request"),
    ],
)
async def test_what_the_buyer_can_change_is_a_decline(
    line: Line, code: str | None, param: str | None, reason: str
) -> None:
    line.will_answer(invalid(code, param))
    assert await line.authorize() == Declined(reason)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(invalid("parameter_unknown", "confirm"), id="our request"),
        pytest.param(refusal(400, type="idempotency_error"), id="another request under the key"),
        pytest.param(refusal(401, type="invalid_request_error"), id="our API key"),
        pytest.param(refusal(404, type="invalid_request_error"), id="no such address"),
        pytest.param(intent("a_new_status"), id="a status nobody knew"),
    ],
)
async def test_what_is_our_bug_is_not_a_decline(line: Line, answer: Response) -> None:
    line.will_answer(answer)
    with pytest.raises(UnexpectedAnswer):
        await line.authorize()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(409, code="idempotency_key_in_use"), id="still at work"),
        pytest.param(refusal(429, code="rate_limit"), id="too many"),
        pytest.param(refusal(429, code="lock_timeout"), id="locked"),
        pytest.param(refusal(500, type="api_error"), id="failed"),
        pytest.param(Response("<html>bad gateway</html>", 502), id="not even Stripe"),
    ],
)
async def test_what_says_nothing_of_the_outcome_is_unavailable(line: Line, answer: Response) -> None:
    line.will_answer(answer)
    with pytest.raises(Unavailable):
        await line.authorize()
    assert len(line.wire.sent) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_stripe_does_not_send_us_elsewhere(line: Line, status: int) -> None:
    line.will_answer(Response(status_code=status, headers={"location": "/elsewhere"}), intent("succeeded"))
    with pytest.raises(UnexpectedAnswer):
        await line.authorize()
    assert line.wire.calls == ["POST /v1/payment_intents"]


async def test_silence_is_unavailable() -> None:
    async with open_line(timeout_seconds=0.2) as line:
        line.wire.is_silent = True
        with pytest.raises(Unavailable):
            await line.authorize()
        line.will_answer(intent("requires_capture"))


async def test_an_answer_that_breaks_off_is_unavailable() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with StripeProvider(
            api_key=API_KEY,
            webhook_secret=None,
            api_base=f"http://127.0.0.1:{port}",
            timeout_seconds=10.0,
            tolerance_seconds=300.0,
        ) as stripe:
            with pytest.raises(Unavailable):
                await Line(Wire(), stripe).authorize()


@pytest.mark.parametrize(
    ("by_now", "outcome"),
    [
        (asks_buyer(), ActionRequired("pi_1", BANK)),
        (intent("requires_capture"), Held("pi_1")),
        (
            intent(
                "requires_payment_method",
                last_payment_error={"code": "payment_intent_authentication_failure"},
            ),
            Declined("authentication_failed"),
        ),
        (intent("canceled"), Declined("declined")),
    ],
    ids=["still waiting", "approved", "not approved", "let go"],
)
async def test_a_repeat_tells_what_came_of_the_buyers_action(
    line: Line, by_now: Response, outcome: Authorization
) -> None:
    line.will_answer(asks_buyer(), by_now)
    assert await line.authorize() == outcome
    assert line.wire.calls == ["POST /v1/payment_intents", "GET /v1/payment_intents/pi_1"]


async def test_what_the_bank_works_on_is_unavailable(line: Line) -> None:
    line.will_answer(intent("processing"), intent("processing"))
    with pytest.raises(Unavailable):
        await line.authorize()


async def test_a_key_is_searched_and_the_intent_itself_asked(line: Line) -> None:
    line.will_answer(found("pi_1"), intent("requires_capture"))
    assert await line.stripe.find(key=KEY) == Held("pi_1")
    assert line.wire.calls == ["GET /v1/payment_intents/search", "GET /v1/payment_intents/pi_1"]
    assert line.wire.sent[0].fields["query"] == f'metadata["micromart_key"]:"{KEY}"'


async def test_a_key_that_search_does_not_know_is_unknown(line: Line) -> None:
    line.will_answer(found())
    assert await line.stripe.find(key=KEY) is None


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_confirmation"])
async def test_a_request_still_at_work_has_no_outcome_to_find(line: Line, status: str) -> None:
    line.will_answer(found("pi_1"), intent(status))
    assert await line.stripe.find(key=KEY) is None


async def test_no_secret_stands_in_an_error_or_a_log_line(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    line.will_answer(
        invalid("parameter_unknown", "confirm"),
        JSONResponse({"object": "payment_intent", "client_secret": CLIENT_SECRET}),
        refusal(500),
    )
    told = [repr(line.stripe), repr(vars(line.stripe))]
    for _ in range(3):
        with pytest.raises((UnexpectedAnswer, Unavailable, ValueError)) as raised:
            await line.authorize()
        told += traceback.format_exception(raised.value)
    told.append(caplog.text)
    for secret in (API_KEY, CLIENT_SECRET, "'pm_1'"):
        assert secret not in "".join(told)
