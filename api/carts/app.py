"""Carts' API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.carts.internal import router as internal
from api.carts.routes import router
from runtime.settings import Settings
from services.carts.factory import open_carts


def carts_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_carts(settings) as carts:
            yield ServiceState(carts, carts.ready)

    return create_app("carts", settings, [router, internal], open_state)
