"""Auth's API as an application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api.app import ServiceState, create_app
from api.auth import accounts, machines, sessions, staff_actions
from api.auth.oidc import oidc_router
from api.auth.routes import router, well_known
from runtime.settings import Settings
from services.auth.factory import open_auth


def auth_app(settings: Settings) -> FastAPI:
    @asynccontextmanager
    async def open_state() -> AsyncIterator[ServiceState]:
        async with open_auth(settings) as auth:
            yield ServiceState(auth, auth.keys.ready)

    routers = [
        router,
        well_known,
        accounts.router,
        accounts.internal,
        sessions.router,
        sessions.internal,
        machines.router,
        machines.internal,
        staff_actions.router,
        staff_actions.internal,
        oidc_router(https=settings.public_url.startswith("https:")),
    ]
    return create_app("auth", settings, routers, open_state)
