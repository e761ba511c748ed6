"""Puts products together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.http_client import ServiceClient
from runtime.settings import Settings
from services.products.connection import Connection
from services.products.documents import DOCUMENTS
from services.products.outbox import ProductsOutbox
from services.products.parking import ProductsParking
from services.products.peers import Inventory
from services.products.service import ProductsService
from services.products.store import ProductsStore


@asynccontextmanager
async def open_products(settings: Settings) -> AsyncIterator[ProductsService]:
    """The service over its own database and its peer, closed at the end."""
    async with (
        _connection(settings) as connection,
        ServiceClient.between(settings, "products", "inventory") as inventory,
    ):
        yield ProductsService(ProductsStore(connection), Inventory(inventory))


@asynccontextmanager
async def open_outbox(settings: Settings) -> AsyncIterator[ProductsOutbox]:
    """What products has to say, for the relay; given up to the next one at the end."""
    async with _connection(settings) as connection:
        outbox = ProductsOutbox(connection)
        try:
            yield outbox
        finally:
            await outbox.close()


@asynccontextmanager
async def open_parking(settings: Settings) -> AsyncIterator[ProductsParking]:
    """What products heard and could not react to yet."""
    async with _connection(settings) as connection:
        yield ProductsParking(connection)


async def migrate(settings: Settings) -> list[str]:
    """Create the indexes that hold products' rules; the names of those made. Safe to repeat."""
    async with _connection(settings) as connection:
        made = await connection.create_indexes()
        await ProductsOutbox(connection).adopt()
        return made


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Connection]:
    connection = Connection(
        settings.secret("products_mongo_url"),
        settings.products_mongo_database,
        DOCUMENTS,
        pool_size=settings.database_pool_size,
    )
    try:
        yield connection
    finally:
        await connection.close()
