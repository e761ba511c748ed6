"""Everything under /temporal: who comes in, what they may do there, and the way in and out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import aiohttp
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from api.gateway.browsers import origin_of
from api.gateway.client import Client
from api.gateway.cookies import StaffCookie, StaffSession
from api.gateway.errors import MethodNotAllowed, TokenRefused
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead
from api.gateway.principal import Principal
from api.gateway.quotas import address_principal
from api.gateway.routes import LimitClass
from api.gateway.temporal_ui import rules
from api.gateway.temporal_ui.entrance import Entrance
from api.gateway.temporal_ui.errors import CrossSite, ReadOnly
from api.gateway.temporal_ui.sign_in import SignIn
from api.gateway.temporal_ui.upstream import UiServer
from contracts.auth import StaffAction
from contracts.errors import Forbidden, Unauthenticated
from contracts.identity import Identity
from runtime.settings import Settings

ROUTE = "/temporal/{path}"
UPSTREAM = "temporal-ui"

NoteAction = Callable[[StaffAction], Awaitable[str]]


class Principals(Protocol):
    async def person(self, authorization: Sequence[bytes]) -> Principal | None:
        """Whose access token it is; None for a request without any, Forbidden for a machine's key."""


class Revocations(Protocol):
    def is_ended(self, session: str | None) -> bool: ...

    def end(self, session: str) -> None: ...


class Limits(Protocol):
    async def charge(self, exchange: Exchange, limit_class: LimitClass, principal: str) -> None:
        """Count a request, or refuse it."""


@dataclass(frozen=True, slots=True)
class _Visitor:
    identity: Identity
    # An access token is nothing that another site's page could make a browser send.
    by_cookie: bool

    @property
    def name(self) -> str:
        """Whom limits count: each sign-in, so that one tab that runs wild leaves its owner another way in."""
        return f"s:{self.identity.session}" if self.identity.session else f"u:{self.identity.subject}"


class TemporalUi:
    """The Temporal UI for the staff, who may look, and for admins, who may act."""

    def __init__(
        self,
        settings: Settings,
        session: aiohttp.ClientSession,
        *,
        principals: Principals,
        revocations: Revocations,
        limits: Limits,
        sign_in: SignIn,
        note_action: NoteAction,
    ) -> None:
        self._server = UiServer(session, settings.temporal_ui_url)
        self._max_body_bytes = settings.max_body_bytes
        self._principals = principals
        self._revocations = revocations
        self._limits = limits
        self._note_action = note_action
        self._origin = origin_of(settings.public_url)
        self._cookie = StaffCookie(
            settings.secret("cookie_secret"), secure=settings.public_url.startswith("https://")
        )
        self._entrance = Entrance(self._cookie, sign_in, revocations.end)

    async def answer(
        self, exchange: Exchange, scope: Scope, head: RequestHead, receive: Receive, send: Send
    ) -> Response | None:
        """The gateway's own answer to a request under /temporal, or None when the UI's has been sent."""
        path: str = scope["path"]
        received = Headers(scope=scope)
        exchange.route = path if path in (rules.SIGN_IN, rules.SIGN_OUT) else ROUTE
        # Its cookie is for its own pages: what the configuration allows other origins ends here.
        exchange.headers[:] = [
            pair for pair in exchange.headers if not pair[0].startswith(b"access-control-")
        ]
        if exchange.method not in rules.METHODS:
            raise MethodNotAllowed(exchange.method, ", ".join(sorted(rules.METHODS)))
        if path == rules.SIGN_IN:
            return await self._sign_in(exchange, scope, received, head, receive)
        try:
            visitor = await self._visitor(received, head)
        except (TokenRefused, Forbidden):
            await self._count(exchange, LimitClass.READ)
            raise
        if visitor is None:
            await self._count(exchange, LimitClass.READ)
        else:
            await self._limits.charge(exchange, LimitClass.TEMPORAL, visitor.name)
        if path == rules.SIGN_OUT:
            return await self._sign_out(exchange, received, head, visitor)
        if visitor is None:
            return _turned_away(exchange.method, head, received)
        exchange.upstream, exchange.subject = UPSTREAM, visitor.identity.subject
        await self._admit(exchange, path, received, visitor)
        await self._server.answer(
            exchange,
            path,
            head,
            Client(receive, head, max_body_bytes=self._max_body_bytes),
            send,
            read_only=not rules.may_act(visitor.identity),
        )
        return None

    async def _sign_in(
        self, exchange: Exchange, scope: Scope, received: Headers, head: RequestHead, receive: Receive
    ) -> Response:
        if exchange.method in rules.SAFE_METHODS:
            await self._count(exchange, LimitClass.READ)
            return self._entrance.page(scope["query_string"], self._by_cookie(received))
        if exchange.method != "POST":
            raise MethodNotAllowed(exchange.method, "GET, HEAD, POST")
        await self._count(exchange, LimitClass.SIGN_IN)
        self._refuse_cross_site(received)
        return await self._entrance.enter(exchange, received, head, receive)

    async def _sign_out(
        self, exchange: Exchange, received: Headers, head: RequestHead, visitor: _Visitor | None
    ) -> Response:
        if exchange.method != "POST":
            raise MethodNotAllowed(exchange.method, "POST")
        self._refuse_cross_site(received)
        return await self._entrance.leave(visitor.identity if visitor is not None else None, head)

    async def _count(self, exchange: Exchange, limit: LimitClass) -> None:
        """Count a request of nobody that we know against its address."""
        await self._limits.charge(exchange, limit, address_principal(exchange.address))

    async def _visitor(self, received: Headers, head: RequestHead) -> _Visitor | None:
        """Who comes, by an access token or else by the cookie; None for nobody that we know."""
        principal = await self._principals.person(head.authorization)
        if principal is not None:
            return _Visitor(principal.identity, by_cookie=False)
        session = self._by_cookie(received)
        return _Visitor(session.identity, by_cookie=True) if session is not None else None

    def _by_cookie(self, received: Headers) -> StaffSession | None:
        session = self._cookie.read(received.getlist("cookie"))
        if session is None or self._revocations.is_ended(session.identity.session):
            return None
        return session

    async def _admit(self, exchange: Exchange, path: str, received: Headers, visitor: _Visitor) -> None:
        """Let the visitor do it, or refuse; what an admin changes is written down before it is done."""
        if not visitor.identity.is_staff:
            raise Forbidden("This needs the role staff.")
        if visitor.by_cookie and exchange.method not in rules.SAFE_METHODS:
            self._refuse_cross_site(received)
        if not rules.changes_something(exchange.method, path):
            return
        if not rules.may_act(visitor.identity):
            raise ReadOnly("Staff may look at workflows; acting on them needs the role admin.")
        action = exchange.staff_action(visitor.identity.subject, path)
        exchange.action = await self._note_action(action)

    def _refuse_cross_site(self, received: Headers) -> None:
        """Refuse what another site's page sends; a browser says from where it comes, and pages cannot lie."""
        sites, origins = received.getlist("sec-fetch-site"), received.getlist("origin")
        if sites != ["same-origin"] and (sites or origins != [self._origin]):
            raise CrossSite("This has to come from the gateway's own page.")


def _turned_away(method: str, head: RequestHead, received: Headers) -> Response:
    if method == "GET" and "text/html" in received.get("accept", ""):
        headers = {"cache-control": "no-store"}
        return RedirectResponse(rules.sign_in_for(head.target), HTTPStatus.SEE_OTHER, headers)
    raise Unauthenticated(f"Sign in first, at {rules.SIGN_IN}.")
