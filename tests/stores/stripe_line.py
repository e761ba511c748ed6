"""The Stripe adapter at one end of a line, a server at the other that answers what a test gives it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from contracts.money import Money
from services.payments.provider import Authorization, Declined
from services.payments.stripe import StripeProvider
from tests.http_server import serving

KEY = "checkout-4711:authorize"
PRICE = Money(amount=1999, currency="EUR")
API_KEY = "sk_test_wire_is_secret"
RETURN_URL = "https://shop.example/returned"
BANK = "https://bank.example/approve"
CLIENT_SECRET = "pi_1_secret_of_the_buyer"


@dataclass(frozen=True)
class Sent:
    """A request as it arrived."""

    method: str
    path: str
    fields: dict[str, str]
    headers: dict[str, str]


@dataclass
class Wire:
    """The other end: it writes down what it is sent and answers what it was given, in order."""

    answers: deque[Response] = field(default_factory=deque)
    sent: list[Sent] = field(default_factory=list)
    is_silent: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: Request) -> Response:
        fields = dict(parse_qsl((await request.body()).decode() or request.url.query))
        self.sent.append(Sent(request.method, request.url.path, fields, dict(request.headers)))
        if self.is_silent:
            await self.closing.wait()
        return self.answers.popleft()

    @property
    def calls(self) -> list[str]:
        return [f"{sent.method} {sent.path}" for sent in self.sent]


@dataclass(frozen=True)
class Line:
    """An adapter, the other end of its line, and one call of it."""

    wire: Wire
    stripe: StripeProvider

    def will_answer(self, *answers: Response) -> None:
        self.wire.answers.extend(answers)

    async def authorize(self) -> Authorization:
        return await self.stripe.authorize(key=KEY, amount=PRICE, token="pm_1", reference="4711")

    async def capture(self) -> Declined | None:
        return await self.stripe.capture(key="key", provider_id="pi_1", amount=PRICE)

    async def void(self) -> None:
        await self.stripe.void(key="key", provider_id="pi_1")

    async def refund(self) -> None:
        await self.stripe.refund(key="refund-key", provider_id="pi_1", amount=PRICE)


@asynccontextmanager
async def open_line(
    *, timeout_seconds: float = 10.0, return_url: str | None = RETURN_URL
) -> AsyncIterator[Line]:
    wire = Wire()
    app = Starlette(routes=[Route("/{path:path}", wire.answer, methods=["GET", "POST"])])
    async with (
        serving(app) as url,
        StripeProvider(
            api_key=API_KEY,
            webhook_secret=None,
            api_base=url + "/",
            timeout_seconds=timeout_seconds,
            tolerance_seconds=300.0,
            return_url=return_url,
        ) as stripe,
    ):
        yield Line(wire, stripe)
        wire.closing.set()


def intent(status: str, **more: Any) -> Response:
    shown = {"id": "pi_1", "object": "payment_intent", "status": status, "client_secret": CLIENT_SECRET}
    return JSONResponse(shown | more)


def asks_buyer() -> Response:
    return intent(
        "requires_action", next_action={"type": "redirect_to_url", "redirect_to_url": {"url": BANK}}
    )


def refund(status: str, key: str = "refund-key") -> dict[str, Any]:
    return {"id": "re_1", "object": "refund", "status": status, "metadata": {"micromart_key": key}}


def refunds(*made: dict[str, Any], has_more: bool = False) -> Response:
    return JSONResponse({"object": "list", "url": "/v1/refunds", "has_more": has_more, "data": [*made]})


def found(*intents: str) -> Response:
    data = [{"id": one, "object": "payment_intent", "status": "requires_action"} for one in intents]
    return JSONResponse({"object": "search_result", "has_more": False, "data": data})


def refusal(status: int, **error: Any) -> Response:
    """As Stripe refuses: the words quote the token, and the intent stands in it with its secret."""
    about = {"message": "no: 'pm_1'", "payment_intent": {"id": "pi_1", "client_secret": CLIENT_SECRET}}
    return JSONResponse({"error": about | error}, status, headers={"request-id": "req_1"})


def card_error(code: str, decline_code: str | None = None) -> Response:
    return refusal(402, type="card_error", code=code, decline_code=decline_code)


def invalid(code: str | None = None, param: str | None = None) -> Response:
    return refusal(400, type="invalid_request_error", code=code, param=param)
