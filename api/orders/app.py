"""Orders' API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.orders import checkouts, orders
from api.orders.desk import CheckoutDesk
from runtime.settings import Settings
from runtime.temporal import connect
from services.orders.factory import open_orders_parts
from workflows.checkouts import Checkouts


def orders_app(settings: Settings) -> FastAPI:
    settings.secret("order_token_secret")

    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_orders_parts(settings) as parts:
            client = await connect(settings, lazy=True)
            yield ServiceState(CheckoutDesk(parts, Checkouts(client), settings), parts.service.ready)

    return create_app("orders", settings, [checkouts.router, orders.router], open_state)
