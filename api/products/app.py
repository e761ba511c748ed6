"""Products' API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.products.routes import categories, internal, router
from runtime.settings import Settings
from services.products.factory import open_products


def products_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_products(settings) as products:
            yield ServiceState(products, products.ready)

    return create_app("products", settings, [router, categories, internal], open_state)
