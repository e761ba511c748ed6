"""Puts payments together: the one place that knows which parts it is made of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from pydantic import SecretStr

from runtime.database import Database
from runtime.migrations import upgrade
from runtime.settings import Settings
from services.payments.provider import PaymentProvider
from services.payments.sandbox import SandboxProvider
from services.payments.service import PaymentsService
from services.payments.store import PaymentsStore

MIGRATIONS = Path(__file__).parent / "migrations"

_API_KEYS = {"sandbox": "psp_api_key", "stripe": "stripe_api_key"}
_WEBHOOK_SECRETS = {"sandbox": "psp_webhook_secret", "stripe": "stripe_webhook_secret"}


@asynccontextmanager
async def open_payments(settings: Settings) -> AsyncIterator[PaymentsService]:
    """The service over its own database and its provider, closed at the end."""
    async with _open_provider(settings) as provider:
        database = Database(settings.database_url("payments"), pool_size=settings.database_pool_size)
        try:
            yield PaymentsService(PaymentsStore(database), provider)
        finally:
            await database.dispose()


async def migrate(settings: Settings) -> list[str]:
    """Bring payments' database up to date; safe to repeat."""
    return await upgrade(MIGRATIONS, settings.database_url("payments"))


def require_webhook_secret(settings: Settings) -> None:
    """Refuse to start where webhooks are received and nothing is set to tell a forged one by."""
    settings.secret(_WEBHOOK_SECRETS[settings.payment_provider])


def provider_settings(settings: Settings) -> list[str]:
    """The names of the settings without which the provider cannot be asked."""
    return [_API_KEYS[settings.payment_provider]]


@asynccontextmanager
async def _open_provider(settings: Settings) -> AsyncIterator[PaymentProvider]:
    if settings.payment_provider == "stripe":
        # Its library is loaded only where it is used.
        from services.payments.stripe import StripeProvider

        async with StripeProvider(
            api_key=settings.secret("stripe_api_key"),
            webhook_secret=_value(settings.stripe_webhook_secret),
            api_base=settings.stripe_api_base,
            timeout_seconds=settings.provider_timeout_seconds,
            tolerance_seconds=settings.webhook_tolerance_seconds,
            return_url=settings.stripe_return_url,
        ) as stripe:
            yield stripe
        return
    headers = {"authorization": f"Bearer {settings.secret('psp_api_key')}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        yield SandboxProvider(
            session,
            settings.psp_url,
            timeout_seconds=settings.provider_timeout_seconds,
            webhook_secret=_value(settings.psp_webhook_secret),
            tolerance_seconds=settings.webhook_tolerance_seconds,
        )


def _value(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret is not None else None
