"""Orders' API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.orders import changes, checkouts, orders
from api.orders.change_desk import ChangeDesk
from api.orders.dependencies import Desks
from api.orders.desk import CheckoutDesk
from api.orders.internal import router as internal
from runtime.settings import Settings
from runtime.temporal import connect
from services.orders.factory import open_orders_parts
from workflows.checkouts import Checkouts
from workflows.order_changes import OrderChangeWorkflows


def orders_app(settings: Settings) -> FastAPI:
    settings.secret("order_token_secret")

    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_orders_parts(settings) as parts:
            client = await connect(settings, lazy=True)
            desk = CheckoutDesk(parts, Checkouts(client), settings)
            change_desk = ChangeDesk(desk, parts.changes, OrderChangeWorkflows(client))
            yield ServiceState(Desks(desk, change_desk), parts.service.ready)

    return create_app(
        "orders", settings, [checkouts.router, orders.router, changes.router, internal], open_state
    )
