import re

import pytest

from api.gateway.errors import MalformedRequest, MethodNotAllowed, NoSuchRoute
from api.gateway.paths import refuse_ambiguous
from api.gateway.principal import Principal
from api.gateway.routes import BODY_BYTES, ROUTES, Access, Route, RouteTable
from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import Identity, Role
from contracts.topology import SERVICES

TABLE = RouteTable(ROUTES)


def caller(*roles: Role) -> Principal:
    return Principal(Identity(subject="user-1", roles=frozenset(roles)))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_is_found_by_a_path_of_its_shape(route: Route) -> None:
    assert TABLE.match(route.method, re.sub(r"{\w+}", "x1", route.path)) is route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_row_names_a_service_that_exists(route: Route) -> None:
    assert route.service in {service.name for service in SERVICES}


def test_only_the_staff_sends_long_bodies() -> None:
    long = [route for route in ROUTES if route.max_body_bytes > BODY_BYTES]
    assert {(route.method, route.path) for route in long} == {
        ("POST", "/v1/products"),
        ("PATCH", "/v1/products/{id}"),
    }
    assert {route.access for route in long} == {Access.STAFF}


def test_what_is_somebodys_is_for_nobody_to_keep() -> None:
    public = {route.path for route in ROUTES if route.is_public}
    assert public == {
        "/.well-known/jwks.json",
        "/v1/products",
        "/v1/products/{id}",
        "/v1/categories",
        "/v1/inventory/{sku}",
    }
    assert all(route.method == "GET" for route in ROUTES if route.is_public)


def test_head_is_taken_where_get_is() -> None:
    assert TABLE.match("HEAD", "/v1/products").method == "GET"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "",
        "/v1",
        "/v1/",
        "/v1/products/",
        "/v1//products",
        "/v1/products/x/y",
        "/v1/carts//items/x",
        "/v1/carts/x/items",
        "/v1/carts/x/merge",
        "/v1/admin",
        "/internal",
        "/internal/products/quote",
        "/v1/internal/x",
        "/V1/products",
        "/v1/products;x=1/y",
    ],
)
def test_what_is_not_in_the_table_does_not_exist(path: str) -> None:
    with pytest.raises(NoSuchRoute):
        TABLE.match("GET", path)


@pytest.mark.parametrize("path", ["/internal/anything", "/internal/orders/x/contact", "/v1/notifications"])
def test_no_method_reaches_what_is_not_for_outside(path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        with pytest.raises(NoSuchRoute):
            TABLE.match(method, path)


def test_a_known_path_with_another_method_tells_which_it_takes() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.match("DELETE", "/v1/products")
    assert refused.value.allow == "GET, HEAD, POST"


def test_mine_is_the_customers_cart_and_not_a_guests_that_is_called_so() -> None:
    assert TABLE.match("GET", "/v1/carts/mine").access is Access.USER
    assert TABLE.match("PUT", "/v1/carts/mine/items/sku").access is Access.USER
    assert TABLE.match("GET", "/v1/carts/mined").access is Access.ANYONE


def test_mine_does_not_fall_back_to_a_guests_cart() -> None:
    with pytest.raises(MethodNotAllowed):
        RouteTable(
            [
                Route("GET", "/v1/carts/mine", "carts", Access.USER),
                Route("DELETE", "/v1/carts/{id}", "carts", Access.ANYONE),
            ]
        ).match("DELETE", "/v1/carts/mine")


def test_a_route_stands_in_the_table_once() -> None:
    with pytest.raises(ValueError, match="twice"):
        RouteTable([ROUTES[0], ROUTES[0]])


@pytest.mark.parametrize(
    ("access", "who", "refusal"),
    [
        (Access.ANYONE, None, None),
        (Access.USER, None, Unauthenticated),
        (Access.USER, caller(), None),
        (Access.STAFF, None, Unauthenticated),
        (Access.STAFF, caller(Role.CUSTOMER), Forbidden),
        (Access.STAFF, caller(Role.STAFF), None),
        (Access.STAFF, caller(Role.ADMIN), None),
        (Access.ADMIN, None, Unauthenticated),
        (Access.ADMIN, caller(Role.STAFF), Forbidden),
        (Access.ADMIN, caller(Role.ADMIN), None),
    ],
)
def test_who_is_let_through(access: Access, who: Principal | None, refusal: type[Exception] | None) -> None:
    route = Route("GET", "/x", "auth", access)
    if refusal is None:
        route.admit(who)
        return
    with pytest.raises(refusal):
        route.admit(who)


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/products/..",
        b"/v1/../internal",
        b"/v1/./products",
        b"/v1/%2e%2e/internal",
        b"/v1/.%2E/internal",
        b"/v1/%2e",
        b"/..",
        b"/v1/products/a%2fb",
        b"/v1/products/a%2Fb",
        b"/v1/products/a%5cb",
        b"/v1/products/a\\b",
        b"/v1/products/a%00",
        b"/v1/products/a%0d%0ab",
        b"/v1/products/a%1F",
        b"/v1/products/a%7f",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(path: bytes) -> None:
    with pytest.raises(MalformedRequest):
        refuse_ambiguous(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/v1/products/moka.3",
        b"/v1/products/a..b",
        b"/.well-known/jwks.json",
        b"/v1/p%20x%C3%A9",
    ],
)
def test_an_ordinary_path_is_not_refused(path: bytes) -> None:
    refuse_ambiguous(path)
