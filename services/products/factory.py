"""Puts products together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from services.products.connection import Connection
from services.products.documents import CategoryDocument, ProductDocument
from services.products.peers import Inventory
from services.products.service import ProductsService
from services.products.store import ProductsStore


@asynccontextmanager
async def open_products(settings: Settings) -> AsyncIterator[ProductsService]:
    """The service over its own database and its peer, closed at the end."""
    signer = IdentitySigner(settings.secret("identity_secret"))
    async with (
        _connection(settings) as connection,
        ServiceClient(settings.url_of("inventory"), signer) as inventory,
    ):
        yield ProductsService(ProductsStore(connection), Inventory(inventory))


async def migrate(settings: Settings) -> list[str]:
    """Create the indexes that hold products' rules; the names of those made. Safe to repeat."""
    async with _connection(settings) as connection:
        return await connection.create_indexes()


@asynccontextmanager
async def _connection(settings: Settings) -> AsyncIterator[Connection]:
    connection = Connection(
        settings.secret("products_mongo_url"),
        settings.products_mongo_database,
        (ProductDocument, CategoryDocument),
        pool_size=settings.database_pool_size,
    )
    try:
        yield connection
    finally:
        await connection.close()
