"""The gateway as an ASGI application: opened on start, closed at the end."""

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
from multidict import CIMultiDict
from starlette.routing import Router
from starlette.types import Receive, Scope, Send

from api.gateway.addresses import Addresses, networks_in
from api.gateway.api_keys import ApiKeys, check_at
from api.gateway.browsers import Browsers
from api.gateway.documents import Documents
from api.gateway.edge import Edge, EdgeParts
from api.gateway.errors import KeysUnavailable
from api.gateway.keys import KeySource, fetch_over
from api.gateway.limits import open_limiter
from api.gateway.operations import own_routes
from api.gateway.principals import Principals
from api.gateway.proxy import Proxy, Timeouts
from api.gateway.revocations import Revocations, ended_at
from api.gateway.routes import ROUTES, RouteTable
from api.gateway.staff_actions import StaffActions
from api.gateway.tally import ANSWER_SECONDS
from api.gateway.temporal_ui import SignIn, TemporalUi
from api.gateway.tokens import TokenVerifier
from api.gateway.upstreams import Upstream
from contracts.topology import SERVICES
from runtime.access_log import AccessLog
from runtime.http_client import ServiceClient
from runtime.identity import IdentitySigner
from runtime.settings import Settings

NAME = "gateway"
# Uvicorn closes an idle connection after 5 s: one is never taken from the pool near that moment.
KEEP_ALIVE_SECONDS = 3.0
_NOT_ADDED = CIMultiDict(
    [(name, None) for name in ("accept", "accept-encoding", "content-type", "user-agent")]
)


class Gateway:
    """Takes every request of the platform; its state lives from the server's start to its end."""

    def __init__(
        self,
        settings: Settings,
        *,
        timeouts: Timeouts | None = None,
        limits_answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`limits_answer_seconds`: how long Valkey may take before this process counts alone."""
        self._settings = settings
        self._signer = IdentitySigner(settings.secret("identity_secret"))
        self._limits_answer_seconds = limits_answer_seconds
        self._timeouts = timeouts or Timeouts(checkout=settings.checkout_wait_seconds + 10)
        self._addresses = Addresses(settings.trusted_proxies)
        self._browsers = Browsers(settings)
        self._scrapers = networks_in(settings.metrics_networks, "METRICS_NETWORKS")
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
        async with AsyncExitStack() as stack:
            access_log = AccessLog(settings, NAME)
            stack.callback(access_log.flush)
            session = await stack.enter_async_context(_session())
            auth = await stack.enter_async_context(ServiceClient.between(settings, NAME, "auth"))
            keys = KeySource(fetch_over(session, settings.url_of("auth")))
            stack.push_async_callback(keys.close)
            api_keys = ApiKeys(check_at(auth))
            stack.push_async_callback(api_keys.close)
            revocations = await stack.enter_async_context(Revocations(ended_at(auth), keys.retire))
            staff_actions = await stack.enter_async_context(StaffActions(auth))
            tokens = TokenVerifier(keys)
            principals = Principals(tokens, api_keys, revocations)
            documents = Documents(session, _first_urls(settings), ROUTES)
            limiter = await stack.enter_async_context(
                open_limiter(settings, answer_seconds=self._limits_answer_seconds)
            )
            self._edge = Edge(
                EdgeParts(
                    table=RouteTable(ROUTES),
                    addresses=self._addresses,
                    browsers=self._browsers,
                    principals=principals,
                    revocations=revocations,
                    limiter=limiter,
                    staff_actions=staff_actions,
                    signer=self._signer,
                    proxy=Proxy(session, _upstreams(settings), self._timeouts),
                    temporal_ui=TemporalUi(
                        settings,
                        session,
                        principals=principals,
                        revocations=revocations,
                        limits=limiter,
                        sign_in=SignIn(session, settings.url_of("auth"), tokens, self._signer),
                        note_action=staff_actions.note,
                    ),
                    own=own_routes(keys, revocations, documents, self._scrapers),
                    max_body_bytes=settings.max_body_bytes,
                    access_log=access_log,
                )
            )
            # Auth may start after us: readiness tells of it, and the first token asks again.
            with suppress(KeysUnavailable):
                await keys.ready()
            yield


def _upstreams(settings: Settings) -> dict[str, Upstream]:
    return {
        service.name: Upstream(service.name, settings.urls_of(service.name), settings.upstream_concurrency)
        for service in SERVICES
    }


def _first_urls(settings: Settings) -> dict[str, str]:
    return {service.name: settings.url_of(service.name) for service in SERVICES}


class _AsGiven(aiohttp.ClientRequest):
    """Has the headers that it is given, and no more.

    The session's own `skip_auto_headers` does the same, by copying and sorting for each request.
    """

    def update_auto_headers(self, skip_auto_headers: Iterable[str] | None) -> None:
        self._skip_auto_headers = _NOT_ADDED


def _session() -> aiohttp.ClientSession:
    """The one pool towards the services: it adds, follows, remembers and repeats nothing."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            # The bulkheads bound it, each its own service: nothing queues here behind another's requests.
            limit=0,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        ),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_AsGiven,
    )
    # It would send what is idempotent once more, unseen by breaker and budget; no option says not to.
    session._retry_connection = False
    return session
