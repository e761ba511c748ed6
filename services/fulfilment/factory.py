"""Puts fulfilment together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.fulfilment.service import FulfilmentService
from services.fulfilment.store import FulfilmentStore

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_fulfilment(settings: Settings) -> AsyncIterator[FulfilmentService]:
    """The service over its own database, closed at the end."""
    database = Database(settings.database_url("fulfilment"), pool_size=settings.database_pool_size)
    try:
        yield FulfilmentService(FulfilmentStore(database))
    finally:
        await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring fulfilment's database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("fulfilment"))
