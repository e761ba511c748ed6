"""OWASP API3:2023. Nobody sets a field that is not theirs to set, or is told what is not theirs to know."""

import re
from secrets import token_hex

import pytest

from contracts.auth import Scope
from contracts.identity import Role
from tests.e2e.operations import Operation, operations_of
from tests.e2e.people import make_key, user
from tests.e2e.shop import Shop
from tests.e2e.shopper import PASSWORD, euros, purchase

INVALID = (422, "request.invalid")
SECRET = re.compile(r"password|secret|hash|token|private|(^|_)key")
TOKENS = {"access_token", "refresh_token", "token_type"}
# Where an answer may hold what opens something, or sounds so: anything else like it fails the tests.
OPENS = {
    "POST /v1/auth/login": TOKENS,
    "POST /v1/auth/refresh": TOKENS,
    "GET /v1/auth/oidc/{}/callback": TOKENS,
    "POST /v1/checkouts": {"access_token"},
    "GET /v1/checkouts/{}": {"access_token"},
    "POST /v1/checkouts/{}/cancel": {"access_token"},
    "POST /v1/admin/checkouts/{}/resume": {"access_token"},
    "POST /v1/admin/checkouts/{}/resolve": {"access_token"},
    "POST /v1/admin/api-keys": {"key"},
    # The public halves of the signing keys, and the name under which a movement of money was asked for.
    "GET /.well-known/jwks.json": {"keys", "keys[]"},
    "GET /v1/admin/payments/{}": {"key"},
}


@pytest.fixture(scope="module")
async def operations(shop: Shop) -> list[Operation]:
    return await operations_of(shop)


async def test_every_body_is_closed(operations: list[Operation]) -> None:
    """At every depth: a field that is not documented is refused, so that none can be slipped in."""
    opened = [
        f"{operation.shape} {at or 'the body'}"
        for operation in operations
        for at, schemas in operation.body().items()
        for schema in schemas
        if schema.get("type") == "object" and schema.get("additionalProperties") is not False
    ]
    assert opened == []


async def test_no_answer_has_a_secret_in_it(operations: list[Operation]) -> None:
    found: dict[str, set[str]] = {}
    for operation in operations:
        for at in operation.answers():
            if SECRET.search(name := at.rpartition(".")[2]):
                found.setdefault(operation.shape, set()).add(name)
    assert found == OPENS


@pytest.mark.parametrize(
    "slipped_in",
    [
        {"roles": ["admin"]},
        {"role": "admin"},
        {"id": "1"},
        {"email_verified": True},
        {"email_verified_at": "2026-01-01T00:00:00Z"},
        {"password_hash": "x"},
        {"is_staff": True},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_a_new_account_is_a_customers_whatever_it_asks_for(
    shop: Shop, slipped_in: dict[str, object]
) -> None:
    account = {"email": f"{token_hex(8)}@example.com", "password": PASSWORD}
    refused = await shop.guest.call("POST", "/v1/auth/register", account | slipped_in)
    assert refused.problem == INVALID
    made = await shop.guest.call("POST", "/v1/auth/register", account)
    assert made.body["roles"] == ["customer"]


@pytest.mark.parametrize(
    "slipped_in",
    [
        {"unit_price": euros(1)},
        {"price": 1},
        {"title": "Gift"},
        {"line_total": euros(0)},
        {"owner": "somebody"},
    ],
    ids=lambda one: next(iter(one)),
)
async def test_a_buyer_does_not_say_what_something_costs(shop: Shop, slipped_in: dict[str, object]) -> None:
    sku = await shop.sells()
    cart = await shop.guest.cart_with()
    path = f"/v1/carts/{cart}/items/{sku}"
    assert (await shop.guest.call("PUT", path, {"quantity": 1} | slipped_in)).problem == INVALID
    assert await shop.guest.quantities(cart) == {}


@pytest.mark.parametrize(
    "name", ["total", "amount", "discount", "customer_id", "state", "order_id", "access_token"]
)
async def test_a_checkout_takes_nothing_over_from_its_buyer(shop: Shop, name: str) -> None:
    cart = await shop.guest.cart_with(await shop.sells())
    refused = await shop.guest.buy(cart, **{name: "1"})
    assert refused.problem == INVALID
    assert refused.body["errors"][0]["at"] == f"/body/{name}"


async def test_an_expected_total_is_only_compared(shop: Shop) -> None:
    cart = await shop.guest.cart_with(await shop.sells(price=5_000))
    assert (await shop.guest.buy(cart, expected_total=euros(1))).problem == (409, "checkout.cart_changed")
    bought = await shop.guest.see_through(cart)
    assert bought.body["total"] == euros(5_000)


async def test_only_the_staff_sees_the_books(shop: Shop) -> None:
    sku, customer = await shop.sells(on_hand=3), await shop.customer()
    for reader in (shop.guest, customer):
        assert (await reader.get(f"/v1/inventory/{sku}")).body.keys() == {"sku", "available"}
    assert (await shop.staff.get(f"/v1/inventory/{sku}")).body.keys() == {
        "sku",
        "available",
        "on_hand",
        "reserved",
    }


async def test_an_account_is_shown_without_what_protects_it(shop: Shop) -> None:
    customer = await shop.customer()
    shown = (await customer.get("/v1/auth/me")).body
    assert shown.keys() == {"id", "email", "name", "roles", "created_at", "email_verified"}
    sessions = (await customer.get("/v1/auth/sessions")).body["items"]
    assert sessions[0].keys() == {"id", "created_at", "last_used_at", "address", "user_agent", "current"}


async def test_a_machines_key_is_shown_once(shop: Shop) -> None:
    admin = await user(shop, Role.ADMIN)
    made = await make_key(admin, {Scope.ORDERS_READ})
    secret = made["key"].rpartition("_")[2]
    listed = await admin.get("/v1/admin/api-keys?limit=100")
    assert made["id"] in {key["id"] for key in listed.body["items"]}
    assert secret not in listed.raw.decode()
    trail = await admin.get("/v1/admin/staff-actions?limit=100")
    assert secret not in trail.raw.decode()


async def test_a_refusal_does_not_repeat_what_was_sent(shop: Shop) -> None:
    """What was typed as a password stands in no answer, and so in no browser's log of it."""
    secret = f"{token_hex(16)}{'x' * 2_000}"
    account = {"email": f"{token_hex(8)}@example.com", "password": secret, "more": secret}
    refused = await shop.guest.call("POST", "/v1/auth/register", account)
    assert refused.problem == INVALID
    assert secret[:32] not in refused.raw.decode()
    card = f"4242{token_hex(6)} 4242"
    cart = await shop.guest.cart_with(await shop.sells())
    body = purchase(cart, payment_method={"token": card})
    refused = await shop.guest.call("POST", "/v1/checkouts", body, headers={"Idempotency-Key": token_hex()})
    assert refused.problem == INVALID
    assert card not in refused.raw.decode()
