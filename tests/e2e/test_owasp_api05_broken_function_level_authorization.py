"""OWASP API5:2023. Every route with everybody who may stand before it: who is not meant is refused."""

from dataclasses import dataclass

import pytest

from api.gateway.routes import ROUTES, Access, Route
from contracts.auth import Scope
from contracts.identity import Role
from tests.e2e.operations import Operation, operations_of, shape_of
from tests.e2e.people import machine, user
from tests.e2e.shop import Shop
from tests.e2e.shopper import Answer, Shopper

# Whoever adds a route says here whom it is for: what stands nowhere fails the tests.
ANYONES = {
    "GET /.well-known/jwks.json",
    "POST /v1/auth/register",
    "POST /v1/auth/login",
    "POST /v1/auth/refresh",
    "POST /v1/auth/password/forgotten",
    "POST /v1/auth/password/reset",
    "POST /v1/auth/email/verify",
    "GET /v1/auth/oidc",
    "POST /v1/auth/oidc/{provider}/authorize",
    "GET /v1/auth/oidc/{provider}/callback",
    "GET /v1/products",
    "GET /v1/products/{id}",
    "GET /v1/categories",
    "GET /v1/inventory/{sku}",
    "POST /v1/carts",
    "GET /v1/carts/{id}",
    "PUT /v1/carts/{id}/items/{sku}",
    "DELETE /v1/carts/{id}/items/{sku}",
    "POST /v1/checkouts",
    "GET /v1/checkouts/{id}",
    "POST /v1/checkouts/{id}/cancel",
    "GET /v1/orders/{id}",
    "POST /v1/orders/{id}/cancel",
    "POST /v1/payments/webhooks/{provider}",
}
USERS = {
    "POST /v1/auth/logout",
    "GET /v1/auth/me",
    "GET /v1/auth/sessions",
    "DELETE /v1/auth/sessions",
    "DELETE /v1/auth/sessions/{id}",
    "POST /v1/auth/password",
    "POST /v1/auth/email/verification",
    "GET /v1/carts/mine",
    "POST /v1/carts/mine/merge",
    "PUT /v1/carts/mine/items/{sku}",
    "DELETE /v1/carts/mine/items/{sku}",
    "GET /v1/orders",
}
STAFFS = {
    "POST /v1/products": Scope.CATALOG_WRITE,
    "PATCH /v1/products/{id}": Scope.CATALOG_WRITE,
    "DELETE /v1/products/{id}": Scope.CATALOG_WRITE,
    "POST /v1/categories": Scope.CATALOG_WRITE,
    "PUT /v1/inventory/{sku}": Scope.INVENTORY_WRITE,
    "POST /v1/inventory/{sku}/adjustments": Scope.INVENTORY_WRITE,
    "POST /v1/admin/checkouts/{id}/resume": Scope.ORDERS_WRITE,
    "POST /v1/admin/checkouts/{id}/resolve": Scope.ORDERS_WRITE,
    "POST /v1/admin/orders/{id}/refund": Scope.ORDERS_WRITE,
    "GET /v1/admin/orders": Scope.ORDERS_READ,
    "GET /v1/admin/orders/{id}": Scope.ORDERS_READ,
    "GET /v1/admin/payments/{id}": Scope.PAYMENTS_READ,
    "GET /v1/fulfilments": Scope.FULFILMENT_READ,
    "GET /v1/fulfilments/{order_id}": Scope.FULFILMENT_READ,
    "POST /v1/fulfilments/{order_id}/ship": Scope.FULFILMENT_WRITE,
    "POST /v1/fulfilments/{order_id}/deliver": Scope.FULFILMENT_WRITE,
    "GET /v1/admin/notifications": Scope.NOTIFICATIONS_READ,
}
ADMINS = {
    "GET /v1/admin/api-keys",
    "POST /v1/admin/api-keys",
    "DELETE /v1/admin/api-keys/{id}",
    "GET /v1/admin/staff-actions",
}
# Whoever calls these is signed out: each call has somebody of its own.
SIGNS_OUT = {"POST /v1/auth/logout", "DELETE /v1/auth/sessions"}

THROUGH, UNAUTHENTICATED, FORBIDDEN = "through", "401 auth.unauthenticated", "403 auth.forbidden"


@dataclass(frozen=True)
class People:
    """One of every kind."""

    shop: Shop
    of_role: dict[Role, Shopper]
    only: dict[Scope, Shopper]
    all_but: dict[Scope | None, Shopper]

    async def of(self, role: Role, name: str) -> Shopper:
        return await user(self.shop, role) if name in SIGNS_OUT else self.of_role[role]


@pytest.fixture(scope="module")
async def people(shop: Shop) -> People:
    of_role = {role: await user(shop, role) for role in Role}
    admin = of_role[Role.ADMIN]
    return People(
        shop=shop,
        of_role=of_role,
        only={scope: await machine(admin, scope) for scope in Scope},
        all_but={left_out: await machine(admin, *(set(Scope) - {left_out})) for left_out in (None, *Scope)},
    )


@pytest.fixture(scope="module")
async def operations(shop: Shop) -> list[Operation]:
    return await operations_of(shop)


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


def expected_of(name: str) -> dict[str, str]:
    """How everybody fares at this route; what is nobody's by the tables above is refused to all."""
    staff = THROUGH if name in ANYONES | USERS | STAFFS.keys() else FORBIDDEN
    return {
        "anonymous": THROUGH if name in ANYONES else UNAUTHENTICATED,
        "customer": THROUGH if name in ANYONES | USERS else FORBIDDEN,
        "staff": staff,
        "admin": THROUGH if name in ADMINS else staff,
        "a key without the scope": THROUGH if name in ANYONES else FORBIDDEN,
        "a key with the scope": THROUGH if name in ANYONES | STAFFS.keys() else FORBIDDEN,
    }


async def called(caller: Shopper, route: Route) -> Answer:
    """The route with ids of nothing and a body that says nothing: what lets it through does nothing."""
    path = route.path.replace("{sku}", "NOBODYS")
    for parameter in ("{id}", "{order_id}", "{provider}"):
        path = path.replace(parameter, "nobodys")
    body: dict[str, str] | None = {} if route.method in ("POST", "PUT", "PATCH") else None
    return await caller.call(route.method, path, body)


def outcome(answer: Answer) -> str:
    """Refused at the door, a fault, or through: what then became of it is another test's."""
    if answer.status >= 500:
        return f"a fault: {answer.status} {answer.raw!r}"
    if answer.status in (401, 403):
        status, code = answer.problem
        if f"{status} {code}" in (UNAUTHENTICATED, FORBIDDEN):
            return f"{status} {code}"
    return THROUGH


def test_every_route_has_one_place_in_these_tables() -> None:
    placed = [*ANYONES, *USERS, *STAFFS, *ADMINS]
    assert sorted(placed) == sorted(name_of(route) for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES, ids=name_of)
async def test_who_is_not_meant_is_refused(people: People, route: Route) -> None:
    name = name_of(route)
    scope = STAFFS.get(name)
    fared = {role.value: outcome(await called(await people.of(role, name), route)) for role in Role}
    fared["anonymous"] = outcome(await called(people.shop.guest, route))
    fared["a key without the scope"] = outcome(await called(people.all_but[scope], route))
    holder = people.only[scope] if scope is not None else people.all_but[None]
    fared["a key with the scope"] = outcome(await called(holder, route))
    assert fared == expected_of(name)


@pytest.mark.parametrize("route", [one for one in ROUTES if one.access is not Access.ANYONE], ids=name_of)
async def test_a_key_or_token_of_no_kind_opens_nothing(people: People, route: Route) -> None:
    for token in ("mmk_0000000000000000_" + "0" * 64, "e30.e30.e30", "admin"):
        stranger = Shopper(people.shop.session, set(), token)
        assert (await called(stranger, route)).status == 401


async def test_the_document_and_the_table_have_the_same_operations(operations: list[Operation]) -> None:
    documented = {operation.shape for operation in operations}
    assert documented == {f"{route.method} {shape_of(route.path)}" for route in ROUTES}


async def test_the_document_says_whom_each_operation_is_for(operations: list[Operation]) -> None:
    access = {
        f"{route.method} {shape_of(route.path)}": route.access
        for route in ROUTES
        if "/mine" not in route.path
    } | {"POST /v1/carts/{}/merge": Access.USER}
    said = {
        operation.shape: Access.ANYONE
        if operation.is_for_everybody
        else Access(operation.definition.get("x-role", "user"))
        for operation in operations
    }
    assert said == access


async def test_what_only_reads_a_head_is_refused_alike(people: People) -> None:
    customer = people.of_role[Role.CUSTOMER]
    for route in ROUTES:
        if route.method == "GET" and route.access in (Access.STAFF, Access.ADMIN):
            path = route.path.replace("{id}", "nobodys").replace("{order_id}", "nobodys")
            assert (await customer.call("HEAD", path)).status == 403
            assert (await people.shop.guest.call("HEAD", path)).status == 401


@pytest.mark.parametrize(
    "header",
    ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL"],
)
async def test_a_header_does_not_turn_a_request_into_another(people: People, header: str) -> None:
    said = "/v1/admin/orders" if header.endswith("URL") else "DELETE"
    answer = await people.shop.guest.call("GET", "/v1/products", headers={header: said})
    assert (answer.status, "items" in answer.body) == (200, True)
