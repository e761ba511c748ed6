"""What becomes of a request: refused here, answered here, or passed on to a service."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from api.gateway.client import Client
from api.gateway.errors import ClientLeft, MethodNotAllowed, bug_response, refusal_response
from api.gateway.exchange import CLIENT_LEFT, Exchange
from api.gateway.head import RequestHead, new_request_id
from api.gateway.paths import refuse_ambiguous
from api.gateway.proxy import Proxy
from api.gateway.routes import RouteTable
from api.gateway.tokens import TokenVerifier
from contracts.errors import DomainError
from contracts.identity import IDENTITY_HEADER, REQUEST_ID_HEADER
from runtime.identity import IdentitySigner
from runtime.logs import get_logger

log = get_logger(__name__)

OwnRoutes = Mapping[str, Callable[[], Awaitable[Response]]]


class Edge:
    """Decides about each request, in the order: path, route, token, access, body."""

    def __init__(
        self,
        table: RouteTable,
        tokens: TokenVerifier,
        signer: IdentitySigner,
        proxy: Proxy,
        own: OwnRoutes,
        max_body_bytes: int,
        access_log: FilteringBoundLogger,
    ) -> None:
        self._table = table
        self._tokens = tokens
        self._signer = signer
        self._proxy = proxy
        self._own = own
        self._max_body_bytes = max_body_bytes
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope)
        try:
            response = await self._answered(exchange, scope, receive, send)
            if response is not None:
                exchange.request_id = exchange.request_id or new_request_id()
                exchange.status = response.status_code
                response.headers[REQUEST_ID_HEADER] = exchange.request_id
                await response(scope, receive, send)
        finally:
            exchange.report(self._access_log)

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
            return refusal_response(error)
        except Exception as error:
            log.error("bug", route=exchange.route, request_id=exchange.request_id, exc_info=error)
            return None if exchange.answering else bug_response()

    async def _decide(
        self, exchange: Exchange, scope: Scope, receive: Receive, send: Send
    ) -> Response | None:
        """The gateway's own answer, or None when the service has given one."""
        head = RequestHead(scope)
        exchange.request_id, exchange.trace_id = head.request_id, head.trace_id
        refuse_ambiguous(scope["raw_path"])
        path: str = scope["path"]
        if (own := self._own.get(path)) is not None:
            exchange.route = path
            if exchange.method not in ("GET", "HEAD"):
                raise MethodNotAllowed(exchange.method, "GET, HEAD")
            return await own()
        route = self._table.match(exchange.method, path)
        exchange.route, exchange.upstream = route.path, route.service
        caller = await self._tokens.caller(head.authorization)
        route.admit(caller)
        if caller is not None:
            exchange.subject = caller.subject
            head.headers[IDENTITY_HEADER] = self._signer.sign(caller)
        client = Client(receive, has_body=head.has_body, max_body_bytes=self._max_body_bytes)
        await self._proxy.forward(exchange, route, head, client, send)
        return None
