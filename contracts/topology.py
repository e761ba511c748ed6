"""What MicroMart consists of: the one list that settings, gateway, CLI and deployment agree on."""

from dataclasses import dataclass
from enum import StrEnum


class Store(StrEnum):
    POSTGRES = "postgres"
    MONGO = "mongo"
    VALKEY = "valkey"


@dataclass(frozen=True)
class Service:
    """A service: where its API listens by default, what it stores in, whether it runs a worker."""

    name: str
    port: int
    store: Store
    has_worker: bool

    @property
    def api(self) -> str:
        return f"{self.name}-api"

    @property
    def worker(self) -> str:
        return f"{self.name}-worker"


SERVICES = (
    Service("auth", 3001, Store.POSTGRES, has_worker=False),
    Service("products", 3002, Store.MONGO, has_worker=False),
    Service("orders", 3003, Store.POSTGRES, has_worker=True),
    Service("carts", 3004, Store.VALKEY, has_worker=True),
    Service("inventory", 3005, Store.POSTGRES, has_worker=True),
    Service("payments", 3006, Store.POSTGRES, has_worker=True),
)
GATEWAY_PORT = 3000
PSP_PORT = 3010
# A worker serves /metrics and /readyz on its API's port plus this.
WORKER_PORT_OFFSET = 100


class TaskQueue(StrEnum):
    """One Temporal task queue a service: its worker polls it, its local steps run there."""

    ORDERS = "orders"
    INVENTORY = "inventory"
    PAYMENTS = "payments"
    CARTS = "carts"
