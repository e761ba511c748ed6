"""What MicroMart consists of: the one list that settings, gateway, CLI and deployment agree on."""

from dataclasses import dataclass
from enum import StrEnum


class Store(StrEnum):
    POSTGRES = "postgres"
    MONGO = "mongo"
    VALKEY = "valkey"


@dataclass(frozen=True)
class Service:
    """A service: where its API listens by default, what it stores in, whose events it hears."""

    name: str
    port: int
    store: Store
    hears: tuple[str, ...] = ()

    @property
    def api(self) -> str:
        return f"{self.name}-api"

    @property
    def worker(self) -> str:
        return f"{self.name}-worker"


SERVICES = (
    Service("auth", 3001, Store.POSTGRES),
    Service("products", 3002, Store.MONGO, hears=("inventory",)),
    Service("orders", 3003, Store.POSTGRES, hears=("fulfilment", "payments")),
    Service("carts", 3004, Store.VALKEY, hears=("inventory", "orders", "products")),
    Service("inventory", 3005, Store.POSTGRES),
    Service("payments", 3006, Store.POSTGRES, hears=("payments",)),
    Service("fulfilment", 3007, Store.POSTGRES, hears=("orders",)),
    Service("notifications", 3008, Store.POSTGRES, hears=("auth", "carts", "fulfilment", "orders")),
)
GATEWAY_PORT = 3000
PSP_PORT = 3010
MAIL_PORT = 3011
SMTP_PORT = 3025
# A worker serves /metrics and /readyz on its API's port plus this.
WORKER_PORT_OFFSET = 100


class TaskQueue(StrEnum):
    """One Temporal task queue a service: its worker polls it, its local steps run there."""

    ORDERS = "orders"
    INVENTORY = "inventory"
    PAYMENTS = "payments"
    FULFILMENT = "fulfilment"
    NOTIFICATIONS = "notifications"


def reactions_queue(service: str) -> str:
    """Where a service's reactions are tried again until they succeed."""
    return f"{service}-reactions"


def hearers_of(service: str) -> tuple[str, ...]:
    """The services that hear this one's events."""
    return tuple(other.name for other in SERVICES if service in other.hears)
