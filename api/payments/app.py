"""Payments's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.payments.routes import router
from runtime.settings import Settings
from services.payments.factory import open_payments


def payments_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_payments(settings) as payments:
            yield ServiceState(payments, payments.ready)

    return create_app("payments", settings, [router], open_state)
