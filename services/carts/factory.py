"""Puts carts together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.http_client import ServiceClient
from runtime.settings import Settings
from services.carts.connection import connect
from services.carts.outbox import CartsOutbox
from services.carts.parking import CartsParking
from services.carts.peers import Products
from services.carts.service import CartService
from services.carts.store import CartStore


@asynccontextmanager
async def open_carts(settings: Settings) -> AsyncIterator[CartService]:
    """The service over its own Valkey, closed at the end."""
    async with (
        connect(settings.secret("carts_redis_url")) as redis,
        ServiceClient.between(settings, "carts", "products") as products,
    ):
        yield CartService(CartStore(redis), Products(products).quote)


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[CartsOutbox]:
    """What carts has to say, for the relay; given up to the next one at the end."""
    async with connect(settings.secret("carts_redis_url"), pool_size=2) as redis:
        outbox = CartsOutbox(redis)
        try:
            yield outbox
        finally:
            await outbox.close()


@asynccontextmanager
async def open_parking(settings: Settings) -> AsyncIterator[CartsParking]:
    """What carts heard and could not react to yet."""
    async with connect(settings.secret("carts_redis_url")) as redis:
        yield CartsParking(redis)


async def migrate(settings: Settings) -> list[str]:
    """See that carts' store answers; it has nothing to set up. Safe to repeat."""
    async with connect(settings.secret("carts_redis_url")) as redis:
        await CartStore(redis).ping()
    return []
