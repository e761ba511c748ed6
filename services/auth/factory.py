"""Puts auth together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.auth.passwords import Passwords
from services.auth.service import Accounts, Sessions
from services.auth.signing import KeySeal
from services.auth.store import AuthStore

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Auth:
    """Both halves of the service over one database."""

    accounts: Accounts
    sessions: Sessions


@asynccontextmanager
async def open_accounts(settings: Settings) -> AsyncIterator[Accounts]:
    """The accounts alone, closed at the end: whoever manages users needs no key that signs tokens."""
    async with _open_store(settings) as store:
        with Passwords() as passwords:
            yield Accounts(store, passwords)


@asynccontextmanager
async def open_auth(settings: Settings) -> AsyncIterator[Auth]:
    """The service over its own database, closed at the end."""
    seal = KeySeal(settings.secret("auth_key_secret"))
    async with _open_store(settings) as store:
        with Passwords() as passwords:
            accounts = Accounts(store, passwords)
            sessions = Sessions(
                store,
                accounts,
                seal,
                access_lifetime=timedelta(seconds=settings.access_token_seconds),
                refresh_lifetime=timedelta(seconds=settings.refresh_token_seconds),
            )
            yield Auth(accounts, sessions)


@asynccontextmanager
async def _open_store(settings: Settings) -> AsyncIterator[AuthStore]:
    database = Database(settings.database_url("auth"), pool_size=settings.database_pool_size)
    try:
        yield AuthStore(database)
    finally:
        await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring auth's database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("auth"))
