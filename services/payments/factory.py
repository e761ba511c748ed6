"""Puts payments together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.payments.sandbox import SandboxProvider
from services.payments.service import PaymentsService
from services.payments.store import PaymentsStore

MIGRATIONS = Path(__file__).parent / "migrations"


@asynccontextmanager
async def open_payments(settings: Settings) -> AsyncIterator[PaymentsService]:
    """The service over its own database and its provider, closed at the end."""
    headers = {"authorization": f"Bearer {settings.secret('psp_api_key')}"}
    database = Database(settings.database_url("payments"), pool_size=settings.database_pool_size)
    try:
        async with aiohttp.ClientSession(headers=headers) as session:
            provider = SandboxProvider(
                session, settings.psp_url, timeout_seconds=settings.provider_timeout_seconds
            )
            yield PaymentsService(PaymentsStore(database), provider)
    finally:
        await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring payments' database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("payments"))
