"""Fulfilment's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.fulfilment.desk import ShippingDesk
from api.fulfilment.routes import router
from runtime.settings import Settings
from runtime.temporal import connect
from services.fulfilment.factory import open_fulfilment
from workflows.fulfilments import Fulfilments


def fulfilment_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_fulfilment(settings) as fulfilment:
            client = await connect(settings, lazy=True)
            yield ServiceState(ShippingDesk(fulfilment, Fulfilments(client), settings), fulfilment.ready)

    return create_app("fulfilment", settings, [router], open_state)
