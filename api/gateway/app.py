"""The gateway as an ASGI application: opened on start, closed at the end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from api.gateway.documents import Documents
from api.gateway.edge import Edge
from api.gateway.errors import KeysUnavailable
from api.gateway.keys import KeySource, fetch_over
from api.gateway.operations import own_routes
from api.gateway.proxy import Proxy, Timeouts
from api.gateway.routes import ROUTES, RouteTable
from api.gateway.tokens import TokenVerifier
from contracts.topology import SERVICES
from runtime.identity import IdentitySigner
from runtime.logs import access_logger
from runtime.settings import Settings

# Uvicorn closes an idle connection after 5 s: one is never taken from the pool near that moment.
KEEP_ALIVE_SECONDS = 3.0
# A rush of buyers waits for its checkouts all at once: a connection each, none queued behind another's.
CONNECTIONS_PER_SERVICE = 1024


class Gateway:
    """Takes every request of the platform; its state lives from the server's start to its end."""

    def __init__(self, settings: Settings, *, timeouts: Timeouts | None = None) -> None:
        self._settings = settings
        self._signer = IdentitySigner(settings.secret("identity_secret"))
        self._timeouts = timeouts or Timeouts(checkout=settings.checkout_wait_seconds + 10)
        self._lifespan = Router(lifespan=self._opened).lifespan
        self._edge: Edge | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        assert self._edge is not None, "the server did not run the lifespan"
        await self._edge(scope, receive, send)

    @asynccontextmanager
    async def _opened(self, _: object) -> AsyncIterator[None]:
        settings = self._settings
        async with _session() as session:
            upstreams = {service.name: settings.url_of(service.name) for service in SERVICES}
            keys = KeySource(fetch_over(session, upstreams["auth"]))
            self._edge = Edge(
                RouteTable(ROUTES),
                TokenVerifier(keys),
                self._signer,
                Proxy(session, upstreams, self._timeouts, settings.max_body_bytes),
                own_routes(keys, Documents(session, upstreams, ROUTES)),
                settings.max_body_bytes,
                access_logger(settings, "gateway"),
            )
            # Auth may start after us: readiness tells of it, and the first token asks again.
            with suppress(KeysUnavailable):
                await keys.ready()
            try:
                yield
            finally:
                await keys.close()


def _session() -> aiohttp.ClientSession:
    """The one pool towards the services: it adds nothing, follows nothing, remembers nothing."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, limit_per_host=CONNECTIONS_PER_SERVICE, keepalive_timeout=KEEP_ALIVE_SECONDS
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
    )
