"""Puts orders together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.database import Database
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.orders.changes import OrderChanges
from services.orders.intake import Intake
from services.orders.peers import CartsPeer, ProductsPeer
from services.orders.reactions import OrderReactions
from services.orders.service import OrdersService
from services.orders.store import OrdersStore

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class OrdersParts:
    """What the orders API needs: the service, the changes, and the intake that asks other services."""

    service: OrdersService
    changes: OrderChanges
    intake: Intake


@dataclass(frozen=True)
class OrdersWork:
    """What the orders worker needs: the service, the changes, and what it does when it hears of others."""

    service: OrdersService
    changes: OrderChanges
    reactions: OrderReactions


@asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[OrdersStore]:
    database = Database(settings.database_url("orders"), pool_size=settings.database_pool_size)
    try:
        yield OrdersStore(database)
    finally:
        await database.dispose()


@asynccontextmanager
async def open_orders(settings: Settings) -> AsyncIterator[OrdersService]:
    """The service over its own database, closed at the end."""
    async with open_store(settings) as store:
        yield OrdersService(store)


@asynccontextmanager
async def open_orders_work(settings: Settings) -> AsyncIterator[OrdersWork]:
    """All that workflows and reactions need, over orders' own database."""
    async with open_store(settings) as store:
        yield OrdersWork(OrdersService(store), OrderChanges(store), OrderReactions(store))


@asynccontextmanager
async def open_orders_parts(settings: Settings) -> AsyncIterator[OrdersParts]:
    """The service together with the changes and the intake of new orders."""
    signer = IdentitySigner(settings.secret("identity_secret"))
    async with (
        open_store(settings) as store,
        ServiceClient.between(settings, "orders", "carts", signer) as carts,
        ServiceClient.between(settings, "orders", "products") as products,
    ):
        intake = Intake(store, CartsPeer(carts), ProductsPeer(products, settings.quote_timeout_seconds))
        yield OrdersParts(OrdersService(store), OrderChanges(store), intake)


async def migrate(settings: Settings) -> list[str]:
    """Bring orders' database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("orders"))
