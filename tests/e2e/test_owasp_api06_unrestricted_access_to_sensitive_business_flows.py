"""OWASP API6:2023. What a shop does for money or goods, it does once, and not in any number."""

import asyncio
from collections import Counter
from secrets import token_hex

import pytest

from api.gateway.routes import ROUTES, LimitClass
from tests.e2e.shop import Shop
from tests.e2e.shopper import PRICE

# What is done to a person or with money, and how often one caller may do it: stricter than other writes.
SENSITIVE = {
    "POST /v1/auth/register": LimitClass.SIGN_IN,
    "POST /v1/auth/login": LimitClass.SIGN_IN,
    "POST /v1/auth/password": LimitClass.SIGN_IN,
    "POST /v1/auth/password/forgotten": LimitClass.SIGN_IN,
    "POST /v1/auth/password/reset": LimitClass.SIGN_IN,
    "POST /v1/auth/email/verification": LimitClass.SIGN_IN,
    "POST /v1/auth/email/verify": LimitClass.SIGN_IN,
    "POST /v1/auth/oidc/{provider}/authorize": LimitClass.SIGN_IN,
    "GET /v1/auth/oidc/{provider}/callback": LimitClass.SIGN_IN,
    "POST /v1/checkouts": LimitClass.CHECKOUT,
}


def test_what_could_be_abused_in_numbers_has_a_limit_of_its_own() -> None:
    limits = {f"{route.method} {route.path}": route.limit_class for route in ROUTES}
    assert {name: limits[name] for name in SENSITIVE} == SENSITIVE


async def test_one_key_buys_once_however_often_it_is_sent(shop: Shop) -> None:
    sku, customer, key = await shop.sells(on_hand=20), await shop.customer(), token_hex()
    cart = await customer.cart_with(sku)
    answers = await asyncio.gather(*(customer.see_through(cart, key) for _ in range(10)))
    assert {answer.body["order_id"] for answer in answers if answer.status == 201} == {
        order["id"] for order in await customer.orders()
    }
    assert len(await customer.orders()) == 1
    assert await shop.stock(sku) == (20, 1)


async def test_the_last_units_are_sold_once(shop: Shop) -> None:
    sku = await shop.sells(on_hand=2)
    carts = [await shop.guest.cart_with(sku) for _ in range(8)]
    answers = await asyncio.gather(*(shop.guest.see_through(cart) for cart in carts))
    assert Counter(answer.status for answer in answers) == {201: 2, 409: 6}
    assert {answer.body["code"] for answer in answers if answer.status == 409} == {"inventory.out_of_stock"}


async def test_one_cart_is_bought_by_one_key_at_a_time(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=20), await shop.customer()
    cart = await customer.cart_with(sku)
    answers = await asyncio.gather(*(customer.buy(cart) for _ in range(6)))
    statuses = Counter(answer.status for answer in answers)
    assert statuses[201] == 1
    assert statuses.keys() <= {201, 409, 422}
    assert len(await customer.orders()) == 1


async def test_nobody_takes_the_whole_shelf(shop: Shop) -> None:
    sku = await shop.sells(on_hand=10_000)
    cart = await shop.guest.cart_with(sku)
    assert (await shop.guest.put(cart, sku, 1_000)).problem == (422, "request.invalid")
    assert await shop.guest.quantities(cart) == {sku: 1}


async def test_more_than_was_paid_is_never_given_back(shop: Shop) -> None:
    customer = await shop.customer()
    bought = await customer.see_through(await customer.cart_with(await shop.sells()))
    order = bought.body["order_id"]
    await shop.ship(order)
    await shop.paid_as(order, "paid")
    assert (await shop.refund(order, PRICE + 1)).problem == (409, "payments.refund_exceeds_capture")
    halves = await asyncio.gather(*(shop.refund(order, PRICE // 2 + 1) for _ in range(4)))
    assert Counter(answer.status for answer in halves) == {202: 1, 409: 3}


@pytest.mark.parametrize("amount", [0, -1, 1.5, "1", 2**60, {"amount": 1, "currency": "USD"}], ids=str)
async def test_odd_amounts_are_not_given_back(shop: Shop, amount: object) -> None:
    customer = await shop.customer()
    bought = await customer.see_through(await customer.cart_with(await shop.sells()))
    path = f"/v1/admin/orders/{bought.body['order_id']}/refund"
    refused = await shop.staff.call("POST", path, {"amount": amount, "reason": "odd"})
    assert refused.problem[0] in (409, 422)


async def test_a_declined_card_is_not_tried_on_by_its_key(shop: Shop) -> None:
    """Each try is a key of its own, and so counts against the limit of checkouts."""
    cart, key = await shop.guest.cart_with(await shop.sells()), token_hex()
    declined = await shop.guest.see_through(cart, key, card="tok_declined")
    assert declined.problem == (402, "payments.declined")
    assert (await shop.guest.buy(cart, key, card="tok_ok")).problem == (422, "idempotency.mismatch")
