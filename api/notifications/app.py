"""Notifications' API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.notifications.routes import router
from runtime.settings import Settings
from services.notifications.factory import open_notifications


def notifications_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_notifications(settings) as notifications:
            yield ServiceState(notifications, notifications.ready)

    return create_app("notifications", settings, [router], open_state)
