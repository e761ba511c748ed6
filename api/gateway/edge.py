"""What becomes of a request: refused here, answered here, or passed on to a service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.gateway.addresses import Addresses
from api.gateway.browsers import NOT_KEPT, Browsers, added_to
from api.gateway.client import Client
from api.gateway.errors import ClientLeft, MethodNotAllowed, TokenRefused, refusal_response
from api.gateway.exchange import CLIENT_LEFT, QUIET_ROUTES, Exchange
from api.gateway.head import RequestHead, new_request_id
from api.gateway.limits import Limiter
from api.gateway.paths import refuse_ambiguous
from api.gateway.principal import Principal
from api.gateway.principals import Principals
from api.gateway.proxy import Proxy
from api.gateway.quotas import address_principal, without_limits
from api.gateway.revocations import Revocations
from api.gateway.routes import LimitClass, Route, RouteTable
from api.gateway.staff_actions import StaffActions
from api.gateway.tarpit import Tarpit
from api.gateway.temporal_ui import TemporalUi
from api.problems import bug_response
from contracts.errors import DomainError, Kind
from contracts.identity import IDENTITY_HEADER, REQUEST_ID_HEADER
from runtime.access_log import AccessLog
from runtime.identity import IdentitySigner
from runtime.logs import get_logger

log = get_logger(__name__)

OwnRoutes = Mapping[str, Callable[[Exchange], Awaitable[Response]]]

TEMPORAL = "/temporal"
LOG_OUT = "/v1/auth/logout"


@dataclass(frozen=True)
class EdgeParts:
    """What the edge decides with, each a promise of its own."""

    table: RouteTable
    addresses: Addresses
    browsers: Browsers
    principals: Principals
    revocations: Revocations
    limiter: Limiter
    staff_actions: StaffActions
    signer: IdentitySigner
    proxy: Proxy
    temporal_ui: TemporalUi
    own: OwnRoutes
    max_body_bytes: int
    access_log: AccessLog


class Edge:
    """Decides in the order: path, route, caller, limit, access, breaker, staff's trail, body."""

    def __init__(self, parts: EdgeParts) -> None:
        self._parts = parts
        self._tarpit = Tarpit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, self._parts.addresses.of(scope))
        try:
            response = await self._answered(exchange, scope, receive, send)
            if response is not None:
                exchange.request_id = exchange.request_id or new_request_id()
                exchange.status = response.status_code
                response.headers[REQUEST_ID_HEADER] = exchange.request_id
                response.raw_headers = added_to(response.raw_headers, exchange.headers)
                await response(scope, receive, send)
        finally:
            if exchange.action is not None:
                self._parts.staff_actions.ended(exchange.action, exchange.status)
            exchange.report(self._parts.access_log)

    async def _answered(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """What is to be sent still, or None when all has been."""
        try:
            return await self._decide(exchange, scope, receive, send)
        except ClientLeft:
            exchange.status = CLIENT_LEFT
            return None
        except DomainError as error:
            exchange.code = error.refusal.code
            if error.kind is not Kind.BUSY and (held := self._tarpit.hold(exchange.address)):
                await asyncio.sleep(held)
            return refusal_response(error)
        except Exception as error:
            log.error("bug", route=exchange.route, request_id=exchange.request_id, exc_info=error)
            return None if exchange.answering else bug_response()

    async def _decide(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """The gateway's own answer, or None when somebody else's has been sent."""
        parts = self._parts
        head = RequestHead(scope, exchange.address)
        exchange.request_id, exchange.trace_id = head.request_id, head.trace_id
        exchange.headers.extend(parts.browsers.headers(head.origin, authenticated=head.proves_somebody))
        refuse_ambiguous(scope["raw_path"])
        path: str = scope["path"]
        if (own := parts.own.get(path)) is not None:
            return await self._own(exchange, path, own)
        if path == TEMPORAL or path.startswith(TEMPORAL + "/"):
            return await parts.temporal_ui.answer(exchange, scope, head, receive, send)
        if exchange.method == "OPTIONS":
            preflight = parts.browsers.preflight(scope, parts.table.methods(path))
            if preflight is not None:
                return preflight
        route = parts.table.match(exchange.method, path)
        exchange.route, exchange.upstream = route.path, route.service
        if not (route.is_public or head.proves_somebody):
            exchange.headers.extend(NOT_KEPT)
        principal = await self._principal(exchange, head)
        await self._limit(exchange, route.limit_class, principal)
        route.admit(principal)
        exchange.subject = principal.identity.subject if principal is not None else None
        # Before the trail and the body: what is not passed on costs neither auth nor the client any time.
        parts.proxy.check(route)
        if principal is not None:
            if route.is_told_of(principal):
                head.headers[IDENTITY_HEADER] = principal.vouched_by(parts.signer)
            if route.is_staff_action(principal):
                # Nothing that the staff changes is done before it stands in the trail who does it.
                action = exchange.staff_action(principal.identity.subject, path)
                exchange.action = await parts.staff_actions.note(action)
        limit = min(route.max_body_bytes, parts.max_body_bytes)
        client = Client(receive, head, max_body_bytes=limit)
        await parts.proxy.forward(exchange, route, head, client, send)
        self._note_logout(exchange, route, principal)
        return None

    async def _own(
        self, exchange: Exchange, path: str, own: Callable[[Exchange], Awaitable[Response]]
    ) -> Response:
        exchange.route = path
        if exchange.method not in ("GET", "HEAD"):
            raise MethodNotAllowed(exchange.method, "GET, HEAD")
        if path not in QUIET_ROUTES:
            await self._limit(exchange, LimitClass.READ, None)
        return await own(exchange)

    async def _principal(self, exchange: Exchange, head: RequestHead) -> Principal | None:
        principals = self._parts.principals
        if principals.is_unknown_key(head.authorization):
            # Before auth is asked: a flood of made-up keys ends at its sender's own limit.
            await self._limit(exchange, LimitClass.READ, None)
            principal = await principals.of(head.authorization)
            exchange.headers[:] = without_limits(exchange.headers)
            return principal
        try:
            return await principals.of(head.authorization)
        except TokenRefused:
            # Whoever tries tokens or keys pays for it like a reader.
            await self._limit(exchange, LimitClass.READ, None)
            raise

    def _limit(self, exchange: Exchange, limit: LimitClass, principal: Principal | None) -> Awaitable[None]:
        """Count the request against its sender; at sign-in against the address, whoever it is said to be."""
        if principal is None or limit is LimitClass.SIGN_IN:
            name = address_principal(exchange.address)
        else:
            name = principal.name
        return self._parts.limiter.charge(exchange, limit, name)

    def _note_logout(self, exchange: Exchange, route: Route, principal: Principal | None) -> None:
        """This process need not wait to hear from auth that the session has ended."""
        if route.path == LOG_OUT and exchange.status < 300 and principal is not None:
            session = principal.identity.session
            if session is not None:
                self._parts.revocations.end(session)
