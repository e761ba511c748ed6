"""Inventory's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.inventory.routes import internal, router
from runtime.settings import Settings
from services.inventory.factory import open_inventory


def inventory_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_inventory(settings) as inventory:
            yield ServiceState(inventory, inventory.ready)

    return create_app("inventory", settings, [router, internal], open_state)
