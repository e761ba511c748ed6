"""A buyer's request: its fingerprint, and what is refused at the door because it could not be stored."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from api.orders.views import PlaceCheckout
from api.problems import install_problem_handlers
from contracts.identity import Identity
from contracts.orders import OrderState
from services.orders.order import Buyer, PlaceOrder
from services.orders.tokens import OrderTokens
from tests.http_server import serving
from tests.orders_samples import ADDRESS, EMAIL, euros

ACCEPTED: dict[str, Any] = {
    "cart_id": "cart-1",
    "email": EMAIL,
    "shipping_address": {
        "name": "Ada Lovelace",
        "line1": "1 Engine Street",
        "line2": None,
        "city": "London",
        "postal_code": "N1",
        "country": "GB",
    },
    "payment_method": {"token": "tok_ok"},
    "expected_total": {"amount": 1000, "currency": "EUR"},
}
REQUEST = PlaceOrder(
    cart_id="cart-1",
    email=EMAIL,
    shipping_address=ADDRESS,
    payment_token="tok_ok",
    expected_total=euros(1000),
)


def changed(path: str, value: object) -> dict[str, Any]:
    """The accepted body with another value at this path."""
    body: dict[str, Any] = json.loads(json.dumps(ACCEPTED))
    *way, last = path.split("/")
    inner = body
    for part in way:
        inner = inner[part]
    inner[last] = value
    return body


def parsed(body: object) -> PlaceOrder:
    return TypeAdapter(PlaceCheckout).validate_json(json.dumps(body)).command()


def test_a_request_is_read_whole() -> None:
    assert parsed(ACCEPTED) == REQUEST


def test_a_fingerprint_is_stable() -> None:
    # Keys that are stored must still be recognised by the next version.
    assert REQUEST.fingerprint == "43f801e2480e245c8b5040d26814d970039be16501109334070f4ce50c7cfab1"


def test_a_fingerprint_is_of_the_meaning_not_of_the_bytes() -> None:
    other = {name: ACCEPTED[name] for name in reversed(ACCEPTED)}
    address = {name: value for name, value in ACCEPTED["shipping_address"].items() if value is not None}
    assert parsed(other | {"shipping_address": address}).fingerprint == REQUEST.fingerprint


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("cart_id", "cart-2"),
        ("email", "bob@example.com"),
        ("shipping_address/line1", "2 Engine Street"),
        ("shipping_address/line2", "rear"),
        ("payment_method/token", "tok_declined"),
        ("expected_total", None),
        ("expected_total/amount", 1001),
    ],
)
def test_another_request_has_another_fingerprint(path: str, value: object) -> None:
    assert parsed(changed(path, value)).fingerprint != REQUEST.fingerprint


def test_keys_belong_to_the_customer_and_for_a_guest_to_the_cart() -> None:
    assert Buyer(Identity(subject="ada"), "ref").principal == "customer:ada"
    assert Buyer(None, "ref").principal == "cart:ref"


def test_an_order_token_proves_its_own_order_only() -> None:
    tokens = OrderTokens("secret")
    token = tokens.token_for("order-1")
    assert tokens.proves(token, "order-1")
    assert not tokens.proves(token, "order-2")
    assert not OrderTokens("another").proves(token, "order-1")
    assert not tokens.proves("ö", "order-1")
    assert not tokens.proves("", "order-1")


@pytest.mark.parametrize("state", OrderState)
def test_cancelling_is_pending_to_everybody_outside(state: OrderState) -> None:
    assert state.public is (OrderState.PENDING if state is OrderState.CANCELLING else state)


@pytest.fixture(scope="module")
async def door() -> AsyncIterator[aiohttp.ClientSession]:
    """The door of the API alone: it lets a request in or refuses it."""
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/v1/checkouts")
    async def place(body: PlaceCheckout) -> str:
        return body.command().fingerprint

    async with serving(app) as url, aiohttp.ClientSession(url) as session:
        yield session


async def answer(door: aiohttp.ClientSession, body: object) -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    async with door.post("/v1/checkouts", data=raw, headers=headers) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize(("length", "status"), [(64, 200), (65, 422)])
async def test_a_cart_is_named_by_what_carts_take_for_an_id(
    door: aiohttp.ClientSession, length: int, status: int
) -> None:
    assert (await answer(door, changed("cart_id", "c" * length)))[0] == status


async def test_the_accepted_body_is_let_in(door: aiohttp.ClientSession) -> None:
    assert await answer(door, ACCEPTED) == (200, REQUEST.fingerprint)


@pytest.mark.parametrize("text", ["\x00", "A\x00da", "\ud800", "A\udfffda", "two\nlines", "\x7f", "x" * 201])
@pytest.mark.parametrize(
    "path",
    [
        "cart_id",
        "email",
        "shipping_address/name",
        "shipping_address/line1",
        "shipping_address/line2",
        "shipping_address/city",
        "shipping_address/postal_code",
        "shipping_address/country",
        "payment_method/token",
        "expected_total/currency",
    ],
)
async def test_text_that_cannot_be_stored_is_refused(
    door: aiohttp.ClientSession, path: str, text: str
) -> None:
    status, problem = await answer(door, changed(path, text))
    if path == "payment_method/token" and text == "x" * 201:
        assert status == 200, "a token may be longer than a line"
        return
    assert (status, problem["code"]) == (422, "request.invalid")
    assert problem["errors"][0]["at"] == f"/body/{path}"


@pytest.mark.parametrize("blank", ["", " ", "   ", "\u00a0", "\u3000 "])
@pytest.mark.parametrize("field", ["name", "line1", "city", "postal_code"])
async def test_an_address_has_something_to_read_in_each_line(
    door: aiohttp.ClientSession, field: str, blank: str
) -> None:
    status, problem = await answer(door, changed(f"shipping_address/{field}", blank))
    assert (status, problem["errors"][0]["at"]) == (422, f"/body/shipping_address/{field}")


@pytest.mark.parametrize("blank", ["", "  ", None])
async def test_a_second_line_that_was_not_filled_in_is_as_good_as_none(
    door: aiohttp.ClientSession, blank: str | None
) -> None:
    assert await answer(door, changed("shipping_address/line2", blank)) == (200, REQUEST.fingerprint)


async def test_who_can_register_can_buy(door: aiohttp.ClientSession) -> None:
    status, _ = await answer(door, changed("email", "ada@rehearsal.test"))
    assert status == 200


@pytest.mark.parametrize("field", ["surprise", "", "\x00", "\ud800"])
@pytest.mark.parametrize("inside", ["", "shipping_address/", "payment_method/", "expected_total/"])
async def test_an_unknown_field_is_refused_whatever_its_name(
    door: aiohttp.ClientSession, inside: str, field: str
) -> None:
    status, problem = await answer(door, changed(inside + field, 1))
    assert (status, problem["code"]) == (422, "request.invalid")


@pytest.mark.parametrize(
    "country", ["de", "D", "DEU", "D1", "ÄÖ", "", " ", "XX", "ZZ", "AA", "UK", "EU", "XK", "SU", "AN"]
)
async def test_a_country_is_one_of_iso_3166(door: aiohttp.ClientSession, country: str) -> None:
    status, problem = await answer(door, changed("shipping_address/country", country))
    assert (status, problem["errors"][0]["at"]) == (422, "/body/shipping_address/country")


@pytest.mark.parametrize("country", ["DE", "GB", "US", "JP", "SS", "CW", "MK"])
async def test_a_country_of_iso_3166_is_sold_to(door: aiohttp.ClientSession, country: str) -> None:
    status, _ = await answer(door, changed("shipping_address/country", country))
    assert status == 200


@pytest.mark.parametrize("body", [None, [], "text", 1, {}, {"cart_id": "c"}])
async def test_a_body_of_another_shape_is_refused(door: aiohttp.ClientSession, body: object) -> None:
    status, problem = await answer(door, body)
    assert (status, problem["code"]) == (422, "request.invalid")
