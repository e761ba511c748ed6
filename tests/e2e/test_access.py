"""Who may do what: signing in and out, roles, and whose things are whose."""

from collections.abc import Callable
from secrets import token_hex

import pytest
from pydantic import SecretStr

from services.auth.factory import open_auth
from tests.e2e.shop import Shop
from tests.e2e.shopper import PASSWORD, Shopper
from tests.gateway_peers import Issuer
from tests.polling import until

UNAUTHENTICATED = (401, "auth.unauthenticated")
FORBIDDEN = (403, "auth.forbidden")

STAFF_ROUTES = [
    ("POST", "/v1/products"),
    ("PATCH", "/v1/products/any"),
    ("DELETE", "/v1/products/any"),
    ("POST", "/v1/categories"),
    ("PUT", "/v1/inventory/ANY"),
    ("POST", "/v1/inventory/ANY/adjustments"),
    ("GET", "/v1/admin/orders"),
    ("GET", "/v1/admin/orders/any"),
]
USER_ROUTES = [
    ("POST", "/v1/auth/logout"),
    ("GET", "/v1/auth/me"),
    ("GET", "/v1/carts/mine"),
    ("PUT", "/v1/carts/mine/items/ANY"),
    ("DELETE", "/v1/carts/mine/items/ANY"),
    ("POST", "/v1/carts/mine/merge"),
    ("GET", "/v1/orders"),
]


@pytest.fixture(scope="module")
async def customer(shop: Shop) -> Shopper:
    return await shop.customer()


@pytest.mark.parametrize(("method", "path"), STAFF_ROUTES)
async def test_what_is_the_staffs_is_neither_a_guests_nor_a_customers(
    shop: Shop, customer: Shopper, method: str, path: str
) -> None:
    assert (await shop.guest.call(method, path)).problem == UNAUTHENTICATED
    assert (await customer.call(method, path)).problem == FORBIDDEN


@pytest.mark.parametrize(("method", "path"), USER_ROUTES)
async def test_what_is_a_users_is_not_a_guests(shop: Shop, method: str, path: str) -> None:
    assert (await shop.guest.call(method, path)).problem == UNAUTHENTICATED


async def test_a_new_customer_signs_in_and_is_known(shop: Shop) -> None:
    email, guest = f"{token_hex(8)}@example.com", shop.guest
    account = {"email": email, "password": PASSWORD, "name": "Ada"}

    registered = await guest.call("POST", "/v1/auth/register", account)

    assert registered.status == 201
    known = registered.body
    assert (known["email"], known["name"], known["roles"]) == (email, "Ada", ["customer"])
    me = await (await shop.signed_in(email)).get("/v1/auth/me")
    assert known.items() <= me.body.items()


async def test_an_email_is_registered_once(shop: Shop, customer: Shopper) -> None:
    account = {"email": customer.email.upper(), "password": PASSWORD}
    assert (await shop.guest.call("POST", "/v1/auth/register", account)).problem == (409, "auth.email_taken")


@pytest.mark.parametrize("known", [True, False])
async def test_wrong_credentials_look_the_same_for_everybody(
    shop: Shop, customer: Shopper, known: bool
) -> None:
    email = customer.email if known else "nobody@example.com"
    refused = await shop.guest.call("POST", "/v1/auth/login", {"email": email, "password": "wrong"})
    assert refused.problem == (401, "auth.bad_credentials")
    assert refused.body["detail"] == "the email or the password is wrong"


async def test_a_refresh_token_is_spent_once_and_its_reuse_ends_the_session(
    shop: Shop, customer: Shopper
) -> None:
    guest = shop.guest
    login = await guest.call("POST", "/v1/auth/login", {"email": customer.email, "password": PASSWORD})
    assert (login.body["token_type"], login.headers["cache-control"]) == ("bearer", "no-store")
    spent = {"refresh_token": login.body["refresh_token"]}

    rotated = await guest.call("POST", "/v1/auth/refresh", spent)
    assert rotated.body.keys() == login.body.keys()

    async def is_refused() -> bool:
        """For a moment another tab of the same browser gets the same answer, and nobody a second one."""
        again = await guest.call("POST", "/v1/auth/refresh", spent)
        if again.status == 200:
            assert again.raw == rotated.raw
            return False
        assert again.problem == (401, "auth.token_reused")
        return True

    await until(is_refused)

    fresh = {"refresh_token": rotated.body["refresh_token"]}
    revoked = await guest.call("POST", "/v1/auth/refresh", fresh)
    assert revoked.problem == (401, "auth.invalid_refresh_token")


async def test_signing_out_ends_the_session(shop: Shop, customer: Shopper) -> None:
    guest = shop.guest
    login = await guest.call("POST", "/v1/auth/login", {"email": customer.email, "password": PASSWORD})
    session = Shopper(shop.session, set(), login.body["access_token"])

    assert (await session.call("POST", "/v1/auth/logout")).status == 204

    refresh = await guest.call("POST", "/v1/auth/refresh", {"refresh_token": login.body["refresh_token"]})
    assert refresh.problem == (401, "auth.invalid_refresh_token")


async def test_the_keys_that_verify_tokens_are_public(shop: Shop) -> None:
    [key, *_] = (await shop.guest.get("/.well-known/jwks.json")).body["keys"]
    assert (key["alg"], "d" in key) == ("ES256", False)


# Each says all the right things, some with the id of auth's own key, and none was signed by it.
FORGERIES: dict[str, Callable[[str], str]] = {
    "another key under a known id": lambda kid: Issuer(kid).token(roles=["admin"]),
    "a key that nobody knows": lambda _: Issuer("nobodys").token(roles=["admin"]),
    "no signature": lambda kid: Issuer(kid).token(roles=["admin"]).rpartition(".")[0] + ".",
    "not a token": lambda _: "abc.def.ghi",
}


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_forged_token_opens_nothing(shop: Shop, how: str) -> None:
    [key, *_] = (await shop.guest.get("/.well-known/jwks.json")).body["keys"]
    forger = Shopper(shop.session, set(), FORGERIES[how](key["kid"]))
    for path in ("/v1/orders", "/v1/admin/orders", "/v1/products", "/v1/carts/mine"):
        assert (await forger.get(path)).problem == (401, "auth.token_invalid")


async def test_an_expired_token_opens_nothing(shop: Shop, customer: Shopper) -> None:
    """One of auth's own, signed with its real key, whose time is over."""
    over = shop.settings.model_copy(update={"access_token_seconds": -60})
    async with open_auth(over) as auth:
        tokens = await auth.sessions.login(customer.email, SecretStr(PASSWORD))
    late = Shopper(shop.session, set(), tokens.access_token)
    for path in ("/v1/orders", "/v1/products"):
        assert (await late.get(path)).problem == (401, "auth.token_expired")


async def test_a_customers_cart_is_nobody_elses(shop: Shop, customer: Shopper) -> None:
    sku, stranger = await shop.sells(), await shop.customer()
    cart = await customer.cart_with(sku)
    not_found = (404, "carts.not_found")
    for other in (stranger, shop.guest):
        assert (await other.get(f"/v1/carts/{cart}")).problem == not_found
        assert (await other.put(cart, sku, 9)).problem == not_found
        assert (await other.call("DELETE", f"/v1/carts/{cart}/items/{sku}")).problem == not_found
        assert (await other.buy(cart)).problem == not_found
    merge = await stranger.call("POST", "/v1/carts/mine/merge", {"cart_id": cart})
    assert merge.problem == not_found
    assert await customer.quantities(cart) == {sku: 1}


async def test_the_staff_sees_what_is_reserved_and_others_do_not(shop: Shop) -> None:
    sku = await shop.sells(on_hand=3)
    assert (await shop.guest.get(f"/v1/inventory/{sku}")).body == {"sku": sku, "available": 3}
    stock = {"sku": sku, "available": 3, "on_hand": 3, "reserved": 0}
    assert (await shop.staff.get(f"/v1/inventory/{sku}")).body == stock


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json", "/asyncapi.json", "/docs"])
async def test_what_is_everybodys_needs_no_token(shop: Shop, path: str) -> None:
    assert (await shop.guest.get(path)).status == 200


async def test_what_services_ask_each_other_is_not_reachable(shop: Shop) -> None:
    for path in ("/internal/quotes", "/internal/stock", "/internal/carts/mine/snapshot"):
        assert (await shop.staff.call("POST", path, {})).problem == (404, "gateway.no_such_route")
