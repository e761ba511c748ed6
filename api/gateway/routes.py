"""The one table of what can be reached from outside; whatever is not in it does not exist there."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from api.gateway.errors import MethodNotAllowed, NoSuchRoute
from api.gateway.principal import Principal
from contracts.auth import Scope
from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import Role


class Access(StrEnum):
    """Whom the gateway lets through; the service decides again, and alone decides who owns what."""

    ANYONE = "anyone"
    USER = "user"
    STAFF = "staff"
    ADMIN = "admin"


class LimitClass(StrEnum):
    """What a request counts against; how many are allowed stands in the setting of the same name."""

    READ = "read"
    WRITE = "write"
    CHECKOUT = "checkout"
    SIGN_IN = "sign_in"
    WEBHOOK = "webhook"
    # Its page loads dozens of files and then asks again and again.
    TEMPORAL = "temporal"


ANYONE, USER, STAFF, ADMIN = Access.ANYONE, Access.USER, Access.STAFF, Access.ADMIN
SAFE_METHODS = frozenset({"GET", "HEAD"})
IDEMPOTENT_METHODS = SAFE_METHODS | {"PUT", "DELETE"}
# What is read whole before anybody looks at it can be bad in as many ways as it is long.
BODY_BYTES = 65_536
# A hundred variants, each with a title in any script.
PRODUCT_BODY_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path, the service behind it, who may call it, and how patiently it is called."""

    method: str
    path: str
    service: str
    access: Access
    # What a key must be allowed to do; without one, the route is for people only.
    scope: Scope | None = None
    limit: LimitClass | None = None
    waits_for_checkout: bool = False
    # The service answers a repeat under the same Idempotency-Key with the first answer.
    honours_idempotency_key: bool = False
    # A buyer's own, which the staff may do for them.
    staff_stands_in: bool = False
    max_body_bytes: int = BODY_BYTES
    # The same for everybody, and nobody's: others may keep the answer.
    is_public: bool = False

    @property
    def limit_class(self) -> LimitClass:
        if self.limit is not None:
            return self.limit
        return LimitClass.READ if self.method in SAFE_METHODS else LimitClass.WRITE

    def is_staff_action(self, caller: Principal) -> bool:
        """Whether it is written down who does it."""
        if self.access in (STAFF, ADMIN):
            return self.method not in SAFE_METHODS
        return self.staff_stands_in and caller.identity.is_staff

    def admit(self, caller: Principal | None) -> None:
        """Let the caller through, or refuse."""
        if self.access is Access.ANYONE:
            return
        if caller is None:
            raise Unauthenticated("Sign in first: this route needs an access token.")
        if caller.scopes is not None:
            if self.scope is None or self.scope not in caller.scopes:
                needed = f"the scope {self.scope}" if self.scope else "a person who is signed in"
                raise Forbidden(f"This needs {needed}.")
            return
        if self.access is Access.STAFF and not caller.identity.is_staff:
            raise Forbidden("This needs the role staff.")
        if self.access is Access.ADMIN and Role.ADMIN not in caller.identity.roles:
            raise Forbidden("This needs the role admin.")

    def is_told_of(self, caller: Principal) -> bool:
        """Whether the service hears who calls: where a key's scopes say nothing, a machine is nobody.

        Else a key for stock would open every order: services take its holder for one of the staff.
        """
        return caller.scopes is None or self.scope in caller.scopes


SIGN_IN = LimitClass.SIGN_IN

ROUTES = (
    Route("GET", "/.well-known/jwks.json", "auth", ANYONE, is_public=True),
    Route("POST", "/v1/auth/register", "auth", ANYONE, limit=SIGN_IN),
    Route("POST", "/v1/auth/login", "auth", ANYONE, limit=SIGN_IN),
    Route("POST", "/v1/auth/refresh", "auth", ANYONE),
    Route("POST", "/v1/auth/logout", "auth", USER),
    Route("GET", "/v1/auth/me", "auth", USER),
    Route("GET", "/v1/auth/sessions", "auth", USER),
    Route("DELETE", "/v1/auth/sessions", "auth", USER),
    Route("DELETE", "/v1/auth/sessions/{id}", "auth", USER),
    Route("POST", "/v1/auth/password", "auth", USER, limit=SIGN_IN),
    Route("POST", "/v1/auth/password/forgotten", "auth", ANYONE, limit=SIGN_IN),
    Route("POST", "/v1/auth/password/reset", "auth", ANYONE, limit=SIGN_IN),
    Route("POST", "/v1/auth/email/verification", "auth", USER, limit=SIGN_IN),
    Route("POST", "/v1/auth/email/verify", "auth", ANYONE, limit=SIGN_IN),
    Route("GET", "/v1/auth/oidc", "auth", ANYONE),
    Route("POST", "/v1/auth/oidc/{provider}/authorize", "auth", ANYONE, limit=SIGN_IN),
    Route("GET", "/v1/auth/oidc/{provider}/callback", "auth", ANYONE, limit=SIGN_IN),
    Route("GET", "/v1/admin/api-keys", "auth", ADMIN),
    Route("POST", "/v1/admin/api-keys", "auth", ADMIN),
    Route("DELETE", "/v1/admin/api-keys/{id}", "auth", ADMIN),
    Route("GET", "/v1/admin/staff-actions", "auth", ADMIN),
    Route("GET", "/v1/products", "products", ANYONE, is_public=True),
    Route(
        "POST",
        "/v1/products",
        "products",
        STAFF,
        Scope.CATALOG_WRITE,
        max_body_bytes=PRODUCT_BODY_BYTES,
    ),
    Route("GET", "/v1/products/{id}", "products", ANYONE, is_public=True),
    Route(
        "PATCH",
        "/v1/products/{id}",
        "products",
        STAFF,
        Scope.CATALOG_WRITE,
        max_body_bytes=PRODUCT_BODY_BYTES,
    ),
    Route("DELETE", "/v1/products/{id}", "products", STAFF, Scope.CATALOG_WRITE),
    Route("GET", "/v1/categories", "products", ANYONE, is_public=True),
    Route("POST", "/v1/categories", "products", STAFF, Scope.CATALOG_WRITE),
    Route("GET", "/v1/inventory/{sku}", "inventory", ANYONE, is_public=True),
    Route("PUT", "/v1/inventory/{sku}", "inventory", STAFF, Scope.INVENTORY_WRITE),
    Route("POST", "/v1/inventory/{sku}/adjustments", "inventory", STAFF, Scope.INVENTORY_WRITE),
    # A guest's cart, checkout and order are proved by an unguessable id or a token: the service decides.
    Route("POST", "/v1/carts", "carts", ANYONE),
    Route("GET", "/v1/carts/mine", "carts", USER),
    Route("POST", "/v1/carts/mine/merge", "carts", USER),
    Route("PUT", "/v1/carts/mine/items/{sku}", "carts", USER),
    Route("DELETE", "/v1/carts/mine/items/{sku}", "carts", USER),
    Route("GET", "/v1/carts/{id}", "carts", ANYONE),
    Route("PUT", "/v1/carts/{id}/items/{sku}", "carts", ANYONE),
    Route("DELETE", "/v1/carts/{id}/items/{sku}", "carts", ANYONE),
    Route(
        "POST",
        "/v1/checkouts",
        "orders",
        ANYONE,
        limit=LimitClass.CHECKOUT,
        waits_for_checkout=True,
        honours_idempotency_key=True,
    ),
    Route("GET", "/v1/checkouts/{id}", "orders", ANYONE),
    Route("POST", "/v1/checkouts/{id}/cancel", "orders", ANYONE, staff_stands_in=True),
    Route("GET", "/v1/orders", "orders", USER),
    Route("GET", "/v1/orders/{id}", "orders", ANYONE),
    Route("POST", "/v1/orders/{id}/cancel", "orders", ANYONE, staff_stands_in=True),
    Route("POST", "/v1/admin/checkouts/{id}/resume", "orders", STAFF, Scope.ORDERS_WRITE),
    Route("POST", "/v1/admin/checkouts/{id}/resolve", "orders", STAFF, Scope.ORDERS_WRITE),
    Route("POST", "/v1/admin/orders/{id}/refund", "orders", STAFF, Scope.ORDERS_WRITE),
    Route("GET", "/v1/admin/orders", "orders", STAFF, Scope.ORDERS_READ),
    Route("GET", "/v1/admin/orders/{id}", "orders", STAFF, Scope.ORDERS_READ),
    Route("GET", "/v1/admin/payments/{id}", "payments", STAFF, Scope.PAYMENTS_READ),
    # The provider proves itself by its signature, which the service checks.
    Route("POST", "/v1/payments/webhooks/{provider}", "payments", ANYONE, limit=LimitClass.WEBHOOK),
    Route("GET", "/v1/fulfilments", "fulfilment", STAFF, Scope.FULFILMENT_READ),
    Route("GET", "/v1/fulfilments/{order_id}", "fulfilment", STAFF, Scope.FULFILMENT_READ),
    Route("POST", "/v1/fulfilments/{order_id}/ship", "fulfilment", STAFF, Scope.FULFILMENT_WRITE),
    Route("POST", "/v1/fulfilments/{order_id}/deliver", "fulfilment", STAFF, Scope.FULFILMENT_WRITE),
    Route("GET", "/v1/admin/notifications", "notifications", STAFF, Scope.NOTIFICATIONS_READ),
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
        node = self._node(path)
        route = node.routes.get(method)
        if route is None:
            raise MethodNotAllowed(method, node.allow)
        return route

    def methods(self, path: str) -> str:
        """What may be sent to a path, as `Allow` says it; NoSuchRoute where there is nothing."""
        return self._node(path).allow

    def _node(self, path: str) -> _Node:
        node: _Node | None = self._root
        for segment in path.split("/")[1:]:
            assert node is not None
            node = node.named.get(segment) or (node.any if segment else None)
            if node is None:
                break
        if node is None or not node.routes:
            raise NoSuchRoute("There is nothing at this path.")
        return node
