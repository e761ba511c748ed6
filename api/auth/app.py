"""Auth's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.auth.routes import router, well_known
from runtime.settings import Settings
from services.auth.factory import open_auth


def auth_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_auth(settings) as auth:
            yield ServiceState(auth, auth.sessions.ready)

    return create_app("auth", settings, [router, well_known], open_state)
