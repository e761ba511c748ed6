"""The one table of what can be reached from outside; whatever is not in it does not exist there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from api.gateway.errors import MethodNotAllowed, NoSuchRoute
from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import Identity, Role


class Access(StrEnum):
    """Whom the gateway lets through; the service decides again, and alone decides who owns what."""

    ANYONE = "anyone"
    USER = "user"
    STAFF = "staff"
    ADMIN = "admin"


ANYONE, USER, STAFF = Access.ANYONE, Access.USER, Access.STAFF


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, the service behind it, and who may call it."""

    method: str
    path: str
    service: str
    access: Access
    waits_for_checkout: bool = False

    def admit(self, caller: Identity | None) -> None:
        """Let the caller through, or refuse."""
        if self.access is Access.ANYONE:
            return
        if caller is None:
            raise Unauthenticated("Sign in first: this route needs an access token.")
        if self.access is Access.STAFF and not caller.is_staff:
            raise Forbidden("This needs the role staff.")
        if self.access is Access.ADMIN and Role.ADMIN not in caller.roles:
            raise Forbidden("This needs the role admin.")


ROUTES = (
    Route("GET", "/.well-known/jwks.json", "auth", ANYONE),
    Route("POST", "/v1/auth/register", "auth", ANYONE),
    Route("POST", "/v1/auth/login", "auth", ANYONE),
    Route("POST", "/v1/auth/refresh", "auth", ANYONE),
    Route("POST", "/v1/auth/logout", "auth", USER),
    Route("GET", "/v1/auth/me", "auth", USER),
    Route("GET", "/v1/products", "products", ANYONE),
    Route("POST", "/v1/products", "products", STAFF),
    Route("GET", "/v1/products/{id}", "products", ANYONE),
    Route("PATCH", "/v1/products/{id}", "products", STAFF),
    Route("DELETE", "/v1/products/{id}", "products", STAFF),
    Route("GET", "/v1/categories", "products", ANYONE),
    Route("POST", "/v1/categories", "products", STAFF),
    Route("GET", "/v1/inventory/{sku}", "inventory", ANYONE),
    Route("PUT", "/v1/inventory/{sku}", "inventory", STAFF),
    Route("POST", "/v1/inventory/{sku}/adjustments", "inventory", STAFF),
    # A guest's cart, checkout and order are proved by an unguessable id or a token: the service decides.
    Route("POST", "/v1/carts", "carts", ANYONE),
    Route("GET", "/v1/carts/mine", "carts", USER),
    Route("POST", "/v1/carts/mine/merge", "carts", USER),
    Route("PUT", "/v1/carts/mine/items/{sku}", "carts", USER),
    Route("DELETE", "/v1/carts/mine/items/{sku}", "carts", USER),
    Route("GET", "/v1/carts/{id}", "carts", ANYONE),
    Route("PUT", "/v1/carts/{id}/items/{sku}", "carts", ANYONE),
    Route("DELETE", "/v1/carts/{id}/items/{sku}", "carts", ANYONE),
    Route("POST", "/v1/checkouts", "orders", ANYONE, waits_for_checkout=True),
    Route("GET", "/v1/checkouts/{id}", "orders", ANYONE),
    Route("POST", "/v1/checkouts/{id}/cancel", "orders", ANYONE),
    Route("GET", "/v1/orders", "orders", USER),
    Route("GET", "/v1/orders/{id}", "orders", ANYONE),
    Route("POST", "/v1/orders/{id}/cancel", "orders", ANYONE),
    Route("POST", "/v1/admin/checkouts/{id}/resume", "orders", STAFF),
    Route("POST", "/v1/admin/checkouts/{id}/resolve", "orders", STAFF),
    Route("POST", "/v1/admin/orders/{id}/refund", "orders", STAFF),
    Route("GET", "/v1/admin/orders", "orders", STAFF),
    Route("GET", "/v1/admin/orders/{id}", "orders", STAFF),
    Route("GET", "/v1/admin/payments/{id}", "payments", STAFF),
    # The provider proves itself by its signature, which the service checks.
    Route("POST", "/v1/payments/webhooks/{provider}", "payments", ANYONE),
    Route("GET", "/v1/fulfilments", "fulfilment", STAFF),
    Route("GET", "/v1/fulfilments/{order_id}", "fulfilment", STAFF),
    Route("POST", "/v1/fulfilments/{order_id}/ship", "fulfilment", STAFF),
    Route("POST", "/v1/fulfilments/{order_id}/deliver", "fulfilment", STAFF),
    Route("GET", "/v1/admin/notifications", "notifications", STAFF),
)


@dataclass(slots=True)
class _Node:
    """A path's next segment: named ones win, for good, over the one that stands for any."""

    named: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    routes: dict[str, Route] = field(default_factory=dict)
    allow: str = ""

    def child(self, segment: str) -> "_Node":
        if not segment.startswith("{"):
            return self.named.setdefault(segment, _Node())
        self.any = self.any or _Node()
        return self.any


class RouteTable:
    """The routes as a tree of segments, made once."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._root = _Node()
        for route in routes:
            node = self._root
            for segment in route.path.split("/")[1:]:
                node = node.child(segment)
            if route.method in node.routes:
                raise ValueError(f"{route.method} {route.path} stands in the table twice")
            node.routes[route.method] = route
            if route.method == "GET":
                node.routes["HEAD"] = route
            node.allow = ", ".join(sorted(node.routes))

    def match(self, method: str, path: str) -> Route:
        """The route of a decoded path; NoSuchRoute or MethodNotAllowed where there is none."""
        node: _Node | None = self._root
        for segment in path.split("/")[1:]:
            assert node is not None
            node = node.named.get(segment) or (node.any if segment else None)
            if node is None:
                break
        if node is None or not node.routes:
            raise NoSuchRoute("There is nothing at this path.")
        route = node.routes.get(method)
        if route is None:
            raise MethodNotAllowed(method, node.allow)
        return route
