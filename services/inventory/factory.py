"""Puts inventory together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.inventory.service import InventoryService
from services.inventory.store import InventoryStore

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_inventory(settings: Settings) -> AsyncIterator[InventoryService]:
    """The service over its own database, closed at the end."""
    database = Database(settings.database_url("inventory"), pool_size=settings.database_pool_size)
    try:
        yield InventoryService(InventoryStore(database))
    finally:
        await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring inventory's database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("inventory"))
