"""What is read of an answer that has no end, from real sockets: a bounded part, and nothing is made of it."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.gateway.errors import KeysUnavailable
from api.gateway.keys import KeySource, fetch_over
from contracts.errors import Unavailable
from contracts.money import Money
from runtime.answers import AnswerTooLarge, read_within
from services.auth.errors import OidcUnavailable
from services.auth.oidc_documents import fetched_keys
from services.auth.oidc_http import provider_session
from services.payments.provider import PaymentProvider
from services.payments.sandbox import SandboxProvider
from services.payments.stripe import StripeProvider
from services.payments.tables import PaymentState
from tests.endless_server import EndlessServer, endless_server
from tests.gateway_peers import Issuer
from tests.http_server import serving
from tests.stores.payments_till import Till, new_order_id

PRICE = Money(amount=1000, currency="EUR")
LIMIT = 1_000
KEYS = json.loads(Issuer("one").jwks())
HANGS_UP_WITHIN_SECONDS = 10.0


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def read(session: aiohttp.ClientSession, body: bytes, **headers: str) -> bytes:
    async def answer(_: Request) -> Response:
        return Response(body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async with serving(Starlette(routes=[Route("/", answer)])) as url, session.get(url) as response:
        return await read_within(response, LIMIT)


@pytest.mark.parametrize("length", [0, 1, LIMIT])
async def test_what_is_within_the_limit_is_read_whole(session: aiohttp.ClientSession, length: int) -> None:
    assert await read(session, b"x" * length) == b"x" * length


async def test_one_byte_more_is_refused(session: aiohttp.ClientSession) -> None:
    with pytest.raises(AnswerTooLarge):
        await read(session, b"x" * (LIMIT + 1))


async def test_what_counts_is_what_comes_out_of_a_packed_answer(session: aiohttp.ClientSession) -> None:
    with pytest.raises(AnswerTooLarge):
        await read(session, gzip.compress(bytes(50_000_000)), content_encoding="gzip")


async def is_hung_up_on(server: EndlessServer) -> bool:
    async with asyncio.timeout(HANGS_UP_WITHIN_SECONDS):
        return await server.hung_up.wait()


Call = Callable[[PaymentProvider], Awaitable[object]]
CALLS: dict[str, Call] = {
    "authorize": lambda at: at.authorize(key="key", amount=PRICE, token="tok_ok", reference="order"),
    "find": lambda at: at.find(key="key"),
    "void": lambda at: at.void(key="key", provider_id="id_1"),
    "capture": lambda at: at.capture(key="key", provider_id="id_1", amount=PRICE),
    "refund": lambda at: at.refund(key="key", provider_id="id_1", amount=PRICE),
}
SAYS = {
    "sandbox yes": (200, {"id": "auth_1", "status": "authorized", "items": []}),
    "sandbox no": (402, {"error": {"code": "declined", "message": "no"}}),
    "stripe yes": (
        200,
        {
            "id": "pi_1",
            "object": "payment_intent",
            "status": "requires_capture",
            "data": [],
            "has_more": False,
        },
    ),
    "stripe no": (402, {"error": {"type": "card_error", "code": "card_declined", "message": "no"}}),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("says", SAYS)
async def test_of_a_payment_providers_endless_answer_neither_its_yes_nor_its_no_is_believed(
    session: aiohttp.ClientSession, says: str, call: str
) -> None:
    async with endless_server(*SAYS[says]) as server:
        if says.startswith("sandbox"):
            with pytest.raises(Unavailable):
                await CALLS[call](SandboxProvider(session, server.url, timeout_seconds=20))
        else:
            async with StripeProvider(
                api_key="sk_test",
                webhook_secret=None,
                api_base=server.url,
                timeout_seconds=20.0,
                tolerance_seconds=300.0,
            ) as stripe:
                with pytest.raises(Unavailable):
                    await CALLS[call](stripe)
        assert await is_hung_up_on(server)


async def test_a_charge_that_was_answered_without_end_is_unknown_until_it_is_asked_again(till: Till) -> None:
    order_id = new_order_id()
    async with endless_server(402, {"error": {"code": "declined", "message": "no"}}) as server:
        endless = SandboxProvider(till.session, server.url, timeout_seconds=20)
        with pytest.raises(Unavailable):
            await till.over(endless).authorize(order_id)
    assert await till.state(order_id) is PaymentState.AUTHORIZING
    assert await till.movements(order_id) == ["authorization pending"]
    assert (await till.authorize(order_id)).state is PaymentState.AUTHORIZED


async def test_keys_without_end_verify_nothing(session: aiohttp.ClientSession) -> None:
    async with endless_server(says=KEYS) as server:
        keys = KeySource(fetch_over(session, server.url))
        with pytest.raises(KeysUnavailable):
            await keys.key("one")
        assert await is_hung_up_on(server)


async def test_an_openid_provider_without_an_end_is_out_of_order() -> None:
    async with endless_server(says=KEYS) as server, provider_session() as session:
        with pytest.raises(OidcUnavailable):
            await fetched_keys(session, server.url)
        assert await is_hung_up_on(server)
