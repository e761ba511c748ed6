"""OWASP API10:2023. What a provider, or a peer, says is believed as far as it is proved and makes sense."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

import aiohttp
import pytest
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from contracts.errors import Unavailable
from contracts.money import Money
from services.payments.provider import Declined
from services.payments.sandbox import SandboxProvider, UnexpectedAnswer
from tests.e2e.shop import Shop
from tests.gateway.stand import ISSUER, Upstream, gateway_before, problem_of, settings
from tests.gateway_peers import answer, bearer
from tests.http_server import serving
from tests.provider_reports import report_about, signed

WEBHOOK = "/v1/payments/webhooks/sandbox"
FORGED = (401, "payments.forged_webhook")


async def ordered(shop: Shop) -> str:
    bought = await shop.guest.see_through(await shop.guest.cart_with(await shop.sells()))
    return str(bought.body["order_id"])


@pytest.mark.parametrize(
    "fault", ["nothing", "garbage", "another secret", "long ago", "another body", "Stripe's"]
)
async def test_a_report_that_the_provider_did_not_sign_is_refused(shop: Shop, fault: str) -> None:
    body, secret = report_about(await ordered(shop)), shop.settings.secret("psp_webhook_secret")
    headers = {
        "nothing": {},
        "garbage": {"psp-signature": "t=now,v1=yes"},
        "another secret": signed(body, "a guess"),
        "long ago": signed(body, secret, age_seconds=3_600),
        "another body": signed(body + b" ", secret),
        "Stripe's": {"stripe-signature": signed(body, secret)["psp-signature"]},
    }[fault]
    assert (await shop.guest.call("POST", WEBHOOK, data=body, headers=headers)).problem == FORGED


ODD = {
    "no JSON": b"\xff nonsense",
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "a number": b"1e999",
    "nested too deep": b"[" * 30_000,
    "no id": b'{"data": {"reference": "x"}}',
    "an id of another kind": b'{"id": {"$ne": 1}, "data": {"reference": ["x"]}}',
    "a reference that is a path": b'{"id": "evt_1", "data": {"reference": "../../v1/orders"}}',
    "a reference with NUL": b'{"id": "evt_1", "data": {"reference": "a\\u0000b"}}',
    "an order that nobody placed": report_about("f" * 32),
}


@pytest.mark.parametrize("what", ODD)
async def test_what_is_signed_and_makes_no_sense_is_taken_and_forgotten(shop: Shop, what: str) -> None:
    headers = signed(ODD[what], shop.settings.secret("psp_webhook_secret"))
    assert (await shop.guest.call("POST", WEBHOOK, data=ODD[what], headers=headers)).status == 204


async def test_a_report_that_is_too_long_is_not_read_to_its_end(shop: Shop) -> None:
    body = b" " * 70_000
    headers = signed(body, shop.settings.secret("psp_webhook_secret"))
    refused = await shop.guest.call("POST", WEBHOOK, data=body, headers=headers)
    assert refused.problem == (413, "request.too_large")


async def test_a_signed_report_only_has_us_ask_the_provider(shop: Shop) -> None:
    """It says that money was moved; the books stay as the provider's own answer has them."""
    order = await ordered(shop)
    before = (await shop.order(order))["payment"]
    for kind in ("captured", "refunded", "voided", "declined"):
        event = json.loads(report_about(order)) | {"type": kind, "amount": 1}
        body = json.dumps(event).encode()
        headers = signed(body, shop.settings.secret("psp_webhook_secret"))
        assert (await shop.guest.call("POST", WEBHOOK, data=body, headers=headers)).status == 204
    assert (await shop.order(order))["payment"] == before
    assert (await shop.order(order))["state"] == "confirmed"


@pytest.mark.parametrize("provider", ["nobody", "stripe", "Sandbox", "sandbox;x", "%20sandbox"])
async def test_a_provider_that_is_not_configured_is_not_there(shop: Shop, provider: str) -> None:
    refused = await shop.guest.call("POST", f"/v1/payments/webhooks/{provider}", data=b"{}")
    assert refused.problem[0] in (400, 401, 404)


@asynccontextmanager
async def answering(status: int, body: bytes, **headers: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A provider that answers everything so; yields its address and the paths that it was asked for."""
    asked: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await Upstream()(scope, receive, send)
            return
        asked.append(scope["path"])
        await answer(send, status, body, [(name.encode(), value.encode()) for name, value in headers.items()])

    async with serving(app) as url:
        yield url, asked


def _authorization(**changes: object) -> bytes:
    return json.dumps({"id": "auth_1", "status": "authorized"} | changes).encode()


NONSENSE = {
    "no JSON": (200, b"<html>all is well</html>"),
    "nothing": (204, b""),
    "a list": (200, b"[]"),
    "no id": (200, b'{"status": "authorized"}'),
    "an id of another kind": (200, _authorization(id={"a": 1})),
    "a status that there is not": (200, _authorization(status="looks_good")),
    "no status": (200, b'{"id": "auth_1"}'),
    "another 4xx": (418, b"I am a teapot"),
    "a failure that says it is none": (500, _authorization()),
    "too many requests": (429, _authorization()),
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_a_provider_that_makes_no_sense_has_taken_no_money(what: str) -> None:
    status, body = NONSENSE[what]
    async with answering(status, body) as (url, _), aiohttp.ClientSession() as session:
        provider = SandboxProvider(session, url, timeout_seconds=5)
        with pytest.raises((Unavailable, UnexpectedAnswer, ValidationError)):
            await provider.authorize(
                key=token_hex(), amount=Money(amount=1, currency="EUR"), token="tok_ok", reference="order"
            )


async def test_a_refusal_of_the_provider_is_one() -> None:
    body = b'{"error": {"code": "declined", "message": "no"}}'
    async with answering(402, body) as (url, _), aiohttp.ClientSession() as session:
        provider = SandboxProvider(session, url, timeout_seconds=5)
        outcome = await provider.authorize(
            key=token_hex(), amount=Money(amount=1, currency="EUR"), token="tok_ok", reference="order"
        )
    assert outcome == Declined("declined")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_provider_does_not_send_us_elsewhere(status: int) -> None:
    async with answering(200, _authorization()) as (elsewhere, asked):
        async with (
            answering(status, b"", location=f"{elsewhere}/stolen") as (url, _),
            aiohttp.ClientSession() as session,
        ):
            provider = SandboxProvider(session, url, timeout_seconds=5)
            with pytest.raises(UnexpectedAnswer):
                await provider.authorize(
                    key=token_hex(), amount=Money(amount=1, currency="EUR"), token="tok_ok", reference="order"
                )
        assert asked == []


class OddPeer(Upstream):
    """One of our own services, which answers some of the gateway's questions with nonsense."""

    def __init__(self, path: str, body: bytes) -> None:
        super().__init__()
        self._odd = (path, body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, body = self._odd
        if scope["type"] == "http" and scope["path"] == path:
            await answer(send, 200, body)
        else:
            await super().__call__(scope, receive, send)


BODIES = [
    b"",
    b"nonsense",
    b"[]",
    b'{"keys": [{"kty": "oct", "k": "AAAA"}], "items": 1, "key_id": []}',
    b"null",
]
ODD_BODIES = pytest.mark.parametrize(
    "body", BODIES, ids=["nothing", "no JSON", "a list", "other types", "null"]
)


@ODD_BODIES
async def test_keys_that_make_no_sense_verify_nothing(body: bytes) -> None:
    async with (
        serving(OddPeer("/.well-known/jwks.json", body)) as url,
        gateway_before(settings(url)) as client,
    ):
        async with client.get("/v1/orders", headers=bearer(ISSUER.token())) as response:
            assert (await problem_of(response))[0] in (401, 503)
        async with client.get("/v1/products") as response:
            assert response.status == 200


@ODD_BODIES
async def test_a_check_of_a_key_that_makes_no_sense_opens_nothing(body: bytes) -> None:
    key = f"mmk_{'0' * 16}_{'0' * 64}"
    peer = OddPeer("/internal/api-keys/checks", body)
    async with (
        serving(peer) as url,
        gateway_before(settings(url)) as client,
        client.get("/v1/admin/orders", headers=bearer(key)) as response,
    ):
        assert (await problem_of(response))[0] in (401, 503)
    assert peer.requests == []


@ODD_BODIES
async def test_a_document_that_makes_no_sense_is_left_out(body: bytes) -> None:
    async with serving(OddPeer("/openapi.json", body)) as url, gateway_before(settings(url)) as client:
        async with client.get("/openapi.json") as response:
            assert (response.status, (await response.json())["paths"]) == (200, {})
        async with client.get("/docs") as response:
            assert response.status == 200
