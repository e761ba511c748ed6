"""The Temporal UI's part of the gateway by itself, with an auth of the test's own behind it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import aiohttp
from starlette.types import Receive, Scope, Send

from api.gateway.browsers import Browsers, added_to
from api.gateway.errors import ClientLeft, SessionEnded, refusal_response
from api.gateway.exchange import Exchange
from api.gateway.head import RequestHead
from api.gateway.keys import KeySource, fetch_over
from api.gateway.limits import open_limiter
from api.gateway.principal import Principal
from api.gateway.temporal_ui import SignIn, TemporalUi
from api.gateway.tokens import TokenVerifier
from contracts.auth import StaffAction
from contracts.errors import DomainError, Kind, Refusal, Unavailable
from contracts.identity import IDENTITY_HEADER
from contracts.problems import PROBLEM_JSON, Problem
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from tests.gateway.stand import NOWHERE
from tests.gateway_peers import Issuer, answer
from tests.http_server import serving

SECRET = "only-our-processes-know-what-it-is"
PUBLIC = "http://shop.example"
PASSWORD = "correct horse battery"
ISSUER = Issuer()
SIGN_IN = "/temporal/sign-in"
ADDRESS = "203.0.113.7"
FROM_US = {"Origin": PUBLIC}


class FakeAuth:
    """Signs anybody in with the one password, in the role that their address begins with."""

    def __init__(self) -> None:
        self.logins: list[dict[str, str]] = []
        self.ended: list[str | None] = []
        self.locked = False
        self._signer = IdentitySigner(SECRET)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await without_lifespan(receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        if scope["path"] == "/.well-known/jwks.json":
            await answer(send, 200, ISSUER.jwks())
        elif scope["path"] == "/v1/auth/logout":
            self.ended.append(self._signer.verify(headers[IDENTITY_HEADER]).session)
            await answer(send, 204, b"")
        else:
            assert scope["path"] == "/v1/auth/login"
            self.logins.append(headers)
            await self._login(json.loads((await receive())["body"]), send)

    async def _login(self, body: dict[str, str], send: Send) -> None:
        if self.locked:
            await refuse(send, Refusal(code="auth.locked", kind=Kind.THROTTLED, detail="Wait."), b"17")
        elif body["password"] != PASSWORD:
            refusal = Refusal(code="auth.bad", kind=Kind.UNAUTHENTICATED, detail="Not <these>.")
            await refuse(send, refusal)
        else:
            token = token_of(body["email"].partition("@")[0])
            tokens = {"access_token": token, "refresh_token": "r", "token_type": "bearer", "expires_in": 9}
            await answer(send, 200, json.dumps(tokens).encode())


def token_of(role: str) -> str:
    return ISSUER.token(sub=f"user-{role}", roles=[role], sid=f"session-{role}")


async def refuse(send: Send, refusal: Refusal, retry_after: bytes | None = None) -> None:
    problem = Problem.of(refusal)
    headers = [(b"content-type", PROBLEM_JSON.encode())]
    if retry_after is not None:
        headers.append((b"retry-after", retry_after))
    await answer(send, problem.status, problem.to_json(), headers)


async def without_lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


class Ended:
    """The sessions that have ended, as far as this process knows."""

    def __init__(self) -> None:
        self.sessions: set[str | None] = set()

    def is_ended(self, session: str | None) -> bool:
        return session in self.sessions

    def end(self, session: str) -> None:
        self.sessions.add(session)


class People:
    """Access tokens alone, of sessions that have not ended."""

    def __init__(self, tokens: TokenVerifier, ended: Ended) -> None:
        self._tokens = tokens
        self._ended = ended

    async def person(self, authorization: Sequence[bytes]) -> Principal | None:
        principal = await self._tokens.caller(authorization)
        if principal is not None and self._ended.is_ended(principal.identity.session):
            raise SessionEnded("This session has ended.")
        return principal


@dataclass
class Trail:
    """What the staff did; a broken one takes nothing down."""

    actions: list[StaffAction] = field(default_factory=list)
    broken: bool = False

    async def note(self, action: StaffAction) -> str:
        if self.broken:
            raise Unavailable("It cannot be written down.")
        self.actions.append(action)
        return str(len(self.actions))


@dataclass
class Door:
    """The application, and what a test looks at beside it."""

    auth: FakeAuth
    trail: Trail
    ended: Ended
    exchanges: list[Exchange] = field(default_factory=list)
    ui: TemporalUi | None = None
    browsers: Browsers | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await without_lifespan(receive, send)
            return
        assert self.ui is not None
        assert self.browsers is not None
        exchange = Exchange(scope, ADDRESS)
        self.exchanges.append(exchange)
        head = RequestHead(scope, ADDRESS)
        exchange.headers.extend(self.browsers.headers(head.origin, authenticated=bool(head.authorization)))
        try:
            response = await self.ui.answer(exchange, scope, head, receive, send)
        except ClientLeft:
            return
        except DomainError as error:
            response = refusal_response(error)
        if response is not None:
            response.raw_headers = added_to(response.raw_headers, tuple(exchange.headers))
            await response(scope, receive, send)


Opened = tuple[Door, aiohttp.ClientSession]


@asynccontextmanager
async def door_before(ui_url: str, **changes: Any) -> AsyncIterator[Opened]:
    """The door on a real socket before a UI, and a client that keeps no cookies by itself."""
    door = Door(FakeAuth(), Trail(), Ended())
    async with AsyncExitStack() as stack:
        auth_url = await stack.enter_async_context(serving(door.auth))
        settings = Settings.model_validate(
            {
                "temporal_ui_url": ui_url,
                "cookie_secret": "of-the-gateways",
                "identity_secret": SECRET,
                "bus_redis_url": NOWHERE,
                "public_url": PUBLIC,
                "cors_origins": "https://friend.example",
            }
            | changes
        )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            )
        )
        tokens = TokenVerifier(KeySource(fetch_over(session, auth_url)))
        door.browsers = Browsers(settings)
        door.ui = TemporalUi(
            settings,
            session,
            principals=People(tokens, door.ended),
            revocations=door.ended,
            limits=await stack.enter_async_context(open_limiter(settings)),
            sign_in=SignIn(session, changes.get("auth_url", auth_url), tokens, IdentitySigner(SECRET)),
            note_action=door.trail.note,
        )
        url = await stack.enter_async_context(serving(door))
        yield (
            door,
            await stack.enter_async_context(aiohttp.ClientSession(url, cookie_jar=aiohttp.DummyCookieJar())),
        )


async def form(
    client: aiohttp.ClientSession, role: str, password: str = PASSWORD, **changes: Any
) -> aiohttp.ClientResponse:
    """The sign-in form, filled in and sent as a browser does."""
    fields = {"email": f"{role}@shop.example", "password": password, "next": "/temporal"} | changes
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | FROM_US
    return await client.post(SIGN_IN, data=urlencode(fields), headers=headers, allow_redirects=False)


async def cookie_of(client: aiohttp.ClientSession, role: str) -> dict[str, str]:
    """The Cookie header of somebody who has just signed in."""
    response = await form(client, role)
    assert response.status == 303
    return {"Cookie": response.headers["set-cookie"].partition(";")[0]}
