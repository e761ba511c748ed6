"""Every refusal is a problem with a stable code, and changes nothing."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from secrets import token_hex
from typing import Any

import pytest

from tests.e2e.shop import Shop
from tests.e2e.shopper import ADDRESS, PASSWORD, Answer, Shopper, euros, purchase

INVALID = (422, "request.invalid")
MALFORMED = (400, "request.malformed")
# A lone surrogate is valid JSON and no text that a store, a label or an answer can hold.
NUL, SURROGATE = "a\0b", "a\ud800b"
MEGABYTE = 1_048_576


@dataclass
class World:
    """A customer with a filled cart, and everything that a refused request must leave as it is."""

    shop: Shop
    customer: Shopper
    sku: str
    before: list[Any] = field(default_factory=list)

    async def state(self) -> list[Any]:
        return [
            (await self.customer.get("/v1/carts/mine")).body,
            await self.customer.orders(),
            await self.shop.stock(self.sku),
            (await self.shop.guest.get(f"/v1/products/{self.sku.lower()}")).body,
        ]

    async def refuses(self, answer: Answer, expected: tuple[int, str]) -> None:
        assert answer.problem == expected, answer.raw
        assert await self.state() == self.before


@pytest.fixture(scope="module")
async def world(shop: Shop) -> World:
    world = World(shop, await shop.customer(), await shop.sells())
    await world.customer.put("mine", world.sku, 2)
    world.before = await world.state()
    return world


def a_key() -> dict[str, str]:
    return {"Idempotency-Key": token_hex()}


def as_json(body: object) -> bytes:
    return json.dumps(body).encode()


def address(**changes: object) -> dict[str, Any]:
    return purchase("mine", shipping_address=ADDRESS | changes)


CHECKOUTS = {
    "an unknown field": purchase("mine", coupon="FREE"),
    "an unknown field inside": address(planet="Mars"),
    "a field whose name is no text": purchase("mine") | {SURROGATE: 1},
    "a missing field": {"cart_id": "mine"},
    "a list": [purchase("mine")],
    "null": None,
    "a cart that is a number": purchase("mine", cart_id=7),
    "a cart that is a path": purchase("../mine"),
    "no email address": purchase("mine", email="nobody"),
    "an email with NUL": purchase("mine", email="a\0@example.com"),
    "an email with a surrogate": purchase("mine", email=f"{SURROGATE}@example.com"),
    "a name with NUL": address(name=NUL),
    "a name with a surrogate": address(name=SURROGATE),
    "a street with a line feed": address(line1="a\nb"),
    "a second line with a surrogate": address(line2=SURROGATE),
    "a city beyond all length": address(city="x" * 201),
    "an empty city": address(city=""),
    "a postal code with NUL": address(postal_code=NUL),
    "a blank name": address(name=" "),
    "a country by its name": address(country="Germany"),
    "a country that is none": address(country="UK"),
    "a card as text": purchase("mine", payment_method="tok_ok"),
    "a card with a space": purchase("mine", payment_method={"token": "tok ok"}),
    "a card number besides": purchase("mine", payment_method={"token": "tok_ok", "number": "4242"}),
    "a total in floats": purchase("mine", expected_total={"amount": 19.99, "currency": "EUR"}),
    "a total in words": purchase("mine", expected_total={"amount": "3998", "currency": "EUR"}),
    "a total beyond all money": purchase("mine", expected_total=euros(2**60)),
    "a currency in small letters": purchase("mine", expected_total={"amount": 3998, "currency": "eur"}),
}


@pytest.mark.parametrize("what", CHECKOUTS)
async def test_a_checkout_of_the_wrong_shape(world: World, what: str) -> None:
    answer = await world.customer.call(
        "POST", "/v1/checkouts", data=as_json(CHECKOUTS[what]), headers=a_key()
    )
    await world.refuses(answer, INVALID)


NOT_JSON = {
    "half a document": b'{"cart_id":',
    "text": b"cart_id=mine",
    "a byte that is not UTF-8": b'{"cart_id": "\xff"}',
    "lists in lists": b"[" * 60_000,
    "a number without end": b'{"cart_id": ' + b"9" * 5_000 + b"}",
}


@pytest.mark.parametrize("what", NOT_JSON)
async def test_a_body_that_is_not_json(world: World, what: str) -> None:
    answer = await world.customer.call("POST", "/v1/checkouts", data=NOT_JSON[what], headers=a_key())
    await world.refuses(answer, MALFORMED)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
async def test_a_body_that_does_not_say_that_it_is_json(world: World, kind: str) -> None:
    body = as_json(purchase("mine"))
    answer = await world.customer.call(
        "POST", "/v1/checkouts", data=body, headers=a_key() | {"content-type": kind}
    )
    await world.refuses(answer, INVALID)


@pytest.mark.parametrize("key", [None, "", "x" * 256, "x" * 10_000], ids=["none", "empty", "long", "longer"])
async def test_a_checkout_without_a_usable_key(world: World, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = await world.customer.call("POST", "/v1/checkouts", purchase("mine"), headers=headers)
    await world.refuses(answer, (400, "idempotency.missing"))


async def test_a_key_of_the_longest_kind_is_taken(shop: Shop) -> None:
    cart = await shop.guest.cart_with(await shop.sells())
    assert (await shop.guest.buy(cart, "x" * 255)).status == 201


async def test_an_empty_cart(world: World) -> None:
    empty = await world.shop.guest.cart_with()
    await world.refuses(await world.shop.guest.buy(empty), (422, "checkout.cart_empty"))


async def test_a_cart_that_is_not_there(world: World) -> None:
    await world.refuses(await world.customer.buy("no-such-cart"), (404, "carts.not_found"))


async def test_a_guest_who_means_a_customers_cart(world: World) -> None:
    await world.refuses(await world.shop.guest.buy("mine"), (401, "auth.unauthenticated"))


@pytest.mark.parametrize("how", ["at once", "in pieces"])
async def test_a_body_that_is_too_large(world: World, how: str) -> None:
    padding = b" " * (MEGABYTE + 1)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(padding), 65_536):
            yield padding[start : start + 65_536]

    data = BytesIO(padding) if how == "at once" else pieces()
    answer = await world.customer.call("POST", "/v1/checkouts", data=data, headers=a_key())
    await world.refuses(answer, (413, "request.too_large"))


@pytest.mark.parametrize("name", ["X-Long", "Idempotency-Key", "X-Order-Token", "Cookie"])
async def test_headers_that_are_too_large(world: World, name: str) -> None:
    headers = a_key() | {name: "x" * 40_000}
    answer = await world.customer.call("POST", "/v1/checkouts", purchase("mine"), headers=headers)
    await world.refuses(answer, (431, "request.head_too_large"))


async def test_an_order_token_that_is_too_long(world: World) -> None:
    await world.refuses(await world.shop.guest.get("/v1/orders/any", "x" * 129), INVALID)


@pytest.mark.parametrize(
    "quantity", [b"-1", b"1000", b"1e400", b"NaN", b"1.5", b'"2"', b"true", b"null", b"[1]", b"9" * 30]
)
async def test_what_is_not_a_quantity(world: World, quantity: bytes) -> None:
    answer = await world.customer.call(
        "PUT", f"/v1/carts/mine/items/{world.sku}", data=b'{"quantity": ' + quantity + b"}"
    )
    await world.refuses(answer, INVALID)


PATHS = [
    ("PUT", "/v1/carts/mine/items/NO-SUCH-SKU", (404, "products.unknown_sku")),
    ("PUT", "/v1/carts/mine/items/not%20a%20sku", INVALID),
    ("PUT", f"/v1/carts/mine/items/{'x' * 65}", INVALID),
    ("PUT", "/v1/carts/mine/items/%00", MALFORMED),
    ("PUT", "/v1/carts/mine/items/..%2Fmine", MALFORMED),
    ("GET", "/v1/carts/no-such-cart", (404, "carts.not_found")),
    ("GET", "/v1/orders/no-such-order", (404, "orders.not_found")),
    ("GET", "/v1/orders/%FF", (400, "request.malformed")),
    ("GET", "/v1/checkouts/no-such-checkout", (404, "orders.not_found")),
    ("POST", "/v1/checkouts/no-such-checkout/cancel", (404, "orders.not_found")),
    ("GET", "/v1/products/no-such-product", (404, "products.not_found")),
    ("GET", "/v1/inventory/NO-SUCH-SKU", (404, "inventory.unknown_sku")),
    ("GET", "/v1/products?sort=cheapest", INVALID),
    ("GET", "/v1/products?min_price=-1", INVALID),
    ("GET", f"/v1/products?q={'x' * 201}", INVALID),
    ("GET", "/v1/products?limit=101", INVALID),
    ("GET", "/v1/products?cursor=x", (422, "request.invalid_cursor")),
    ("GET", "/v1/categories?cursor=x", (422, "request.invalid_cursor")),
    ("GET", "/v1/nothing", (404, "gateway.no_such_route")),
    ("PATCH", "/v1/checkouts", (405, "gateway.method_not_allowed")),
]


@pytest.mark.parametrize(("method", "path", "expected"), PATHS)
async def test_what_is_not_there(world: World, method: str, path: str, expected: tuple[int, str]) -> None:
    body = {"quantity": 1} if method == "PUT" else None
    await world.refuses(await world.customer.call(method, path, body), expected)


PRODUCT = {
    "slug": "bad-article",
    "title": "Bad",
    "description": "",
    "category": "e2e",
    "variants": [{"sku": "BAD", "title": "One", "price": euros(1)}],
}
FREE = {"sku": "{sku}", "title": "Standard", "price": euros(-1)}
ARTICLE, STOCK = "/v1/products/{slug}", "/v1/inventory/{sku}"
ADJUST = f"{STOCK}/adjustments"
OF_STAFF = [
    ("POST", "/v1/products", PRODUCT | {"title": NUL}, INVALID),
    ("POST", "/v1/products", PRODUCT | {"description": SURROGATE}, INVALID),
    ("POST", "/v1/products", PRODUCT | {"slug": "Not a slug"}, INVALID),
    ("POST", "/v1/products", PRODUCT | {"variants": []}, INVALID),
    ("POST", "/v1/products", PRODUCT | {"variants": [FREE | {"sku": "BAD.", "price": euros(1)}]}, INVALID),
    ("POST", "/v1/products", PRODUCT | {"price": 1}, INVALID),
    ("PATCH", ARTICLE, {"title": None}, INVALID),
    ("PATCH", ARTICLE, {"variants": [FREE]}, INVALID),
    ("PATCH", ARTICLE, {"stock": 5}, INVALID),
    ("POST", "/v1/categories", {"slug": "bad", "title": SURROGATE}, INVALID),
    ("PUT", STOCK, {"on_hand": -1}, INVALID),
    ("PUT", STOCK, {"on_hand": 10**9}, INVALID),
    ("PUT", STOCK, {"on_hand": "5"}, INVALID),
    ("POST", ADJUST, {"delta": -11, "reason": "lost"}, (409, "inventory.below_reserved")),
    ("POST", ADJUST, {"delta": 10**20, "reason": "found"}, INVALID),
    ("POST", ADJUST, {"delta": 1, "reason": NUL}, INVALID),
    ("POST", ADJUST, {"delta": 1}, INVALID),
    ("GET", "/v1/admin/orders?state=lost", None, INVALID),
]


@pytest.mark.parametrize(("method", "path", "body", "expected"), OF_STAFF)
async def test_what_the_staff_cannot_do_either(
    world: World, method: str, path: str, body: object, expected: tuple[int, str]
) -> None:
    path = path.format(sku=world.sku, slug=world.sku.lower())
    data = as_json(body).replace(b"{sku}", world.sku.encode())
    answer = await world.shop.staff.call(method, path, data=data)
    await world.refuses(answer, expected)


ACCOUNTS = [
    ({"email": "nobody", "password": PASSWORD}, (422, "auth.invalid_email")),
    ({"email": "a\0@example.com", "password": PASSWORD}, (422, "auth.invalid_email")),
    ({"email": f"{SURROGATE}@example.com", "password": PASSWORD}, INVALID),
    ({"email": "a@example.com", "password": "short"}, (422, "auth.invalid_password")),
    ({"email": "a@example.com", "password": "x" * 2_000}, INVALID),
    ({"email": "a@example.com", "password": PASSWORD, "name": NUL}, (422, "auth.invalid_name")),
    ({"email": "a@example.com", "password": PASSWORD, "name": SURROGATE}, INVALID),
    ({"email": "a@example.com", "password": PASSWORD, "roles": ["admin"]}, INVALID),
    ({"email": 7, "password": PASSWORD}, INVALID),
    ({}, INVALID),
]


@pytest.mark.parametrize(("account", "expected"), ACCOUNTS)
async def test_an_account_that_cannot_be(world: World, account: object, expected: tuple[int, str]) -> None:
    answer = await world.shop.guest.call("POST", "/v1/auth/register", data=as_json(account))
    await world.refuses(answer, expected)
