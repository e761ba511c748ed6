"""OWASP API1:2023. Every operation that names a thing, with somebody else's: it is not there."""

from dataclasses import dataclass
from typing import Any

import pytest

from contracts.auth import Scope
from contracts.identity import Role
from tests.e2e.operations import Operation, Schema, operations_of, shape_of
from tests.e2e.people import Buyer, buyer, machine, make_key, user
from tests.e2e.shop import Shop
from tests.e2e.shopper import Shopper, purchase

# What names no thing of anybody's.
NOBODYS = {
    "sku": "of the catalogue, which everybody sees and the staff alone changes",
    "reference": "of the catalogue, which everybody sees and the staff alone changes",
    "provider": "one of those that are configured",
}
NOT_FOUND, UNAUTHENTICATED, FORBIDDEN = 404, 401, 403


@dataclass(frozen=True)
class Case:
    """How an operation is aimed at another's thing, and what a customer and a guest are told then."""

    path: str
    customer: int
    guest: int
    body: Any = None
    # A guest's cart is whose knows its id, which nobody can guess.
    has_guests_things: bool = True


def own(path: str, body: Any = None, **how: Any) -> Case:
    """Of things that are somebody's own: of others' nobody learns that they are there."""
    return Case(path, NOT_FOUND, NOT_FOUND, body, **how)


def users(path: str, body: Any = None) -> Case:
    return Case(path, NOT_FOUND, UNAUTHENTICATED, body, has_guests_things=False)


def staffs(path: str, body: Any = None) -> Case:
    return Case(path, FORBIDDEN, UNAUTHENTICATED, body)


# Whoever adds an operation that names a thing says here how it is refused: what is missing fails the tests.
CASES = {
    "DELETE /v1/auth/sessions/{id}": users("/v1/auth/sessions/{session}"),
    "GET /v1/carts/{id}": own("/v1/carts/{cart}", has_guests_things=False),
    "PUT /v1/carts/{id}/items/{sku}": own(
        "/v1/carts/{cart}/items/{sku}", {"quantity": 9}, has_guests_things=False
    ),
    "DELETE /v1/carts/{id}/items/{sku}": own("/v1/carts/{cart}/items/{sku}", has_guests_things=False),
    "POST /v1/carts/mine/merge": users("/v1/carts/mine/merge", {"cart_id": "{cart}"}),
    "POST /v1/checkouts": own("/v1/checkouts", purchase("{cart}"), has_guests_things=False),
    "GET /v1/checkouts/{id}": own("/v1/checkouts/{order}"),
    "POST /v1/checkouts/{id}/cancel": own("/v1/checkouts/{order}/cancel"),
    "GET /v1/orders/{id}": own("/v1/orders/{order}"),
    "POST /v1/orders/{id}/cancel": own("/v1/orders/{order}/cancel"),
    "POST /v1/admin/checkouts/{id}/resume": staffs("/v1/admin/checkouts/{order}/resume"),
    "POST /v1/admin/checkouts/{id}/resolve": staffs("/v1/admin/checkouts/{order}/resolve", {"note": "mine"}),
    "POST /v1/admin/orders/{id}/refund": staffs("/v1/admin/orders/{order}/refund", {"reason": "mine"}),
    "GET /v1/admin/orders/{id}": staffs("/v1/admin/orders/{order}"),
    "GET /v1/admin/payments/{id}": staffs("/v1/admin/payments/{order}"),
    "GET /v1/fulfilments/{order_id}": staffs("/v1/fulfilments/{order}"),
    "POST /v1/fulfilments/{order_id}/ship": staffs(
        "/v1/fulfilments/{order}/ship", {"carrier": "DHL", "tracking": "1"}
    ),
    "POST /v1/fulfilments/{order_id}/deliver": staffs("/v1/fulfilments/{order}/deliver"),
    "GET /v1/admin/notifications": staffs("/v1/admin/notifications?order_id={order}"),
    "DELETE /v1/admin/api-keys/{id}": staffs("/v1/admin/api-keys/{api_key}"),
}


@dataclass(frozen=True)
class World:
    """Two customers and two guests, each with one of everything, and a machine's key."""

    customers: tuple[Buyer, Buyer]
    guests: tuple[Buyer, Buyer]
    admin: Shopper
    key: dict[str, Any]

    def aimed(self, at: Any, owner: Buyer) -> Any:
        """A path or a body with the owner's ids in it."""
        if isinstance(at, dict):
            return {name: self.aimed(one, owner) for name, one in at.items()}
        return at.format_map(vars(owner) | {"api_key": self.key["id"]}) if isinstance(at, str) else at

    async def keys(self) -> list[Any]:
        listed = (await self.admin.get("/v1/admin/api-keys?limit=100")).body["items"]
        return [one["revoked_at"] for one in listed if one["id"] == self.key["id"]]


@pytest.fixture(scope="module")
async def world(shop: Shop) -> World:
    sku, admin = await shop.sells(on_hand=100), await user(shop, Role.ADMIN)
    ada, bob, gail, gus = [await buyer(shop, sku, signed_in=known) for known in (True, True, False, False)]
    return World((ada, bob), (gail, gus), admin, await make_key(admin, {Scope.ORDERS_READ}))


async def test_every_operation_that_names_a_thing_is_tried(shop: Shop) -> None:
    naming = {operation.shape for operation in await operations_of(shop) if operation.ids - NOBODYS.keys()}
    tried = {_shape(name) for name in CASES}
    assert naming == tried


def _shape(name: str) -> str:
    method, path = name.split(" ")
    return f"{method} {shape_of(path)}"


@pytest.mark.parametrize("name", CASES)
async def test_anothers_things_are_not_reached(shop: Shop, world: World, name: str) -> None:
    case, method = CASES[name], name.split(" ")[0]
    ada, bob = world.customers
    gail, gus = world.guests
    nobody = Buyer(shop.guest, "", "", "", "", None)
    for owner in (ada, gail) if case.has_guests_things else (ada,):
        before = [*await owner.things(), await world.keys()]
        path, body = world.aimed(case.path, owner), world.aimed(case.body, owner)
        fared = {
            "a customer": (await bob.call(method, path, body)).problem[0],
            "a guest": (await gus.call(method, path, body)).problem[0],
            "nobody": (await nobody.call(method, path, body)).problem[0],
        }
        assert fared == {"a customer": case.customer, "a guest": case.guest, "nobody": case.guest}
        assert [*await owner.things(), await world.keys()] == before


async def test_lists_show_ones_own_and_nothing_else(world: World) -> None:
    for owner, other in (world.customers, world.customers[::-1]):
        orders = [order["id"] for order in await owner.shopper.orders()]
        sessions = (await owner.call("GET", "/v1/auth/sessions")).body["items"]
        assert orders == [owner.order] != [other.order]
        assert [session["id"] for session in sessions] == [owner.session] != [other.session]


async def test_a_list_from_anothers_cursor_is_still_ones_own(shop: Shop, world: World) -> None:
    ada, bob = world.customers
    cart = await ada.shopper.cart_with(ada.sku)
    assert (await ada.shopper.see_through(cart)).status == 201
    cursor = (await ada.call("GET", "/v1/orders?limit=1")).body["next_cursor"]
    found = (await bob.call("GET", f"/v1/orders?cursor={cursor}")).body["items"]
    assert {order["id"] for order in found} <= {bob.order}


async def test_an_order_token_opens_its_own_order_alone(world: World) -> None:
    gail, gus = world.guests
    assert gus.order_token is not None
    assert gail.order_token != gus.order_token
    for path in (f"/v1/orders/{gail.order}", f"/v1/checkouts/{gail.order}"):
        for token in (gus.order_token, gus.order, gail.order, "", "0" * 64):
            assert (await gus.shopper.get(path, token)).problem == (404, "orders.not_found")


async def test_a_machine_is_nobody_where_its_key_has_no_scope(shop: Shop, world: World) -> None:
    """What is everybody's is open to a key too, and it counts there as no staff."""
    counter = await machine(world.admin, Scope.CATALOG_WRITE)
    for owner in (world.customers[0], world.guests[0]):
        before = await owner.things()
        for method, path in (
            ("GET", f"/v1/orders/{owner.order}"),
            ("GET", f"/v1/checkouts/{owner.order}"),
            ("POST", f"/v1/orders/{owner.order}/cancel"),
            ("POST", f"/v1/checkouts/{owner.order}/cancel"),
        ):
            assert (await counter.call(method, path)).problem == (404, "orders.not_found")
        assert await owner.things() == before
    assert (await counter.get(f"/v1/inventory/{world.guests[0].sku}")).body.keys() == {"sku", "available"}


async def test_ids_that_are_keys_cannot_be_guessed(world: World) -> None:
    """A guest's cart is its id: that has as many random bits as a key."""
    assert min(len(guest.cart) for guest in world.guests) >= 22
    assert world.guests[0].cart[:8] != world.guests[1].cart[:8]


def test_operations_know_what_names_a_thing() -> None:
    """The check itself sees ids in paths, queries and bodies, also inside of what a body refers to."""
    schemas: dict[str, Schema] = {
        "Inner": {"properties": {"order_id": {}}},
        "Outer": {"properties": {"x": {"$ref": "#/components/schemas/Inner"}}},
    }
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Outer"}}}}
    parameters = [
        {"name": "any", "in": "path"},
        {"name": "cart_id", "in": "query"},
        {"name": "q", "in": "query"},
    ]
    operation = Operation("GET", "/{any}", {"parameters": parameters, "requestBody": body}, schemas)
    assert operation.ids == {"any", "cart_id", "order_id"}
