"""Payments's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.payments import routes, webhooks
from runtime.settings import Settings
from services.payments.factory import open_payments, require_webhook_secret


def payments_app(settings: Settings) -> FastAPI:
    require_webhook_secret(settings)

    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_payments(settings) as payments:
            yield ServiceState(payments, payments.ready)

    return create_app("payments", settings, [routes.router, webhooks.router], open_state)
