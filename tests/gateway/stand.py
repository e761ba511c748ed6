"""The gateway on a real socket, in front of a service of the test's own."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from api.gateway.app import Gateway
from api.gateway.connection import EdgeProtocol, edge_protocol
from api.gateway.patience import Patience
from api.gateway.proxy import Timeouts
from contracts.auth import (
    ApiKeyGrant,
    EndedSession,
    EndedSessions,
    StaffAction,
    StaffActionEnded,
    StaffActionNoted,
)
from contracts.errors import Kind, Refusal
from contracts.problems import Problem
from contracts.topology import SERVICES
from runtime.settings import Settings
from tests.gateway_peers import Issuer, answer
from tests.http_server import serving

SECRET = "only-our-processes-know-what-it-is"
LIMIT = 200_000
NOBODY = "http://127.0.0.1:9"
NOWHERE = "redis://127.0.0.1:9"
ISSUER = Issuer()
UNKNOWN_KEY = Refusal(code="auth.api_key_invalid", kind=Kind.UNAUTHENTICATED, detail="Nobody has it.")
# None of these tests is about limits, and all of them come from one address.
UNLIMITED = {
    f"limit_{name}": "1000000/minute"
    for name in ("sign_in", "read", "write", "checkout", "webhook", "temporal")
}

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


class Upstream:
    """One service that stands for all: auth's keys, and whatever the test makes it do."""

    def __init__(self) -> None:
        self.requests: list[Scope] = []
        self.bodies: list[bytearray] = []
        self.left = 0
        self.noted: list[StaffAction] = []
        self.refuses_notes = False
        self.outcomes: list[int] = []
        self.ended: list[EndedSession] = []
        self.keys_checked = 0
        # Of the one key that holds, if there is one.
        self.grant: ApiKeyGrant | None = None
        self.down = False
        self.handle: Handler = self.echo

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["path"] == "/.well-known/jwks.json":
            await answer(send, 200, ISSUER.jwks())
        elif scope["path"].startswith("/internal/"):
            await self._internal(scope, receive, send)
        else:
            self.requests.append(scope)
            await self.handle(scope, receive, send)

    async def _internal(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What auth answers the gateway itself."""
        body = b"".join([(await receive()).get("body", b"")])
        match scope["path"].split("/")[2:]:
            case ["sessions", "ended"]:
                ended = EndedSessions(items=tuple(self.ended), now=datetime.now(UTC))
                await answer(send, 200, ended.model_dump_json().encode())
            case ["api-keys", "checks"]:
                self.keys_checked += 1
                if self.grant is None:
                    await answer(send, 401, Problem.of(UNKNOWN_KEY).to_json())
                else:
                    await answer(send, 200, self.grant.model_dump_json().encode())
            case ["staff-actions"] if self.refuses_notes:
                await answer(send, 503, b"{}")
            case ["staff-actions"]:
                self.noted.append(StaffAction.model_validate_json(body))
                await answer(send, 201, StaffActionNoted(id=str(len(self.noted))).model_dump_json().encode())
            case ["staff-actions", _, "outcome"]:
                self.outcomes.append(StaffActionEnded.model_validate_json(body).status)
                await answer(send, 200, body)
            case _:
                await answer(send, 404, b"{}")

    async def body(self, receive: Receive) -> bytes:
        """The request's body, noted piece by piece; a sender that leaves is counted."""
        self.bodies.append(bytearray())
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left += 1
                return bytes(self.bodies[-1])
            self.bodies[-1] += message.get("body", b"")
            if not message.get("more_body"):
                return bytes(self.bodies[-1])

    async def echo(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, 200, await self.body(receive), [(b"x-of-service", b"1")])

    async def hang(self, _: Scope, receive: Receive, __: Send) -> None:
        """Take the request and answer nothing until the sender leaves."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left += 1

    def headers(self) -> dict[str, str]:
        """What the service saw of the last request's headers."""
        return {name.decode(): value.decode() for name, value in self.requests[-1]["headers"]}


def settings(upstream_url: str, **changes: str) -> Settings:
    urls = {f"{service.name}_url": upstream_url for service in SERVICES}
    secrets = {name: SecretStr(SECRET) for name in ("identity_secret", "service_secret", "cookie_secret")}
    others = {"bus_redis_url": SecretStr(NOWHERE), "max_body_bytes": LIMIT}
    return Settings.model_validate(urls | secrets | UNLIMITED | others | changes)


@asynccontextmanager
async def gateway_before(
    configured: Settings, *, patience: Patience | None = None, **timeouts: float
) -> AsyncIterator[aiohttp.ClientSession]:
    app = Gateway(configured, timeouts=Timeouts(**timeouts))
    protocol = edge_protocol(configured)
    protocol.patience = patience or PatientEdge.patience
    async with (
        serving(app, protocol=protocol) as url,
        aiohttp.ClientSession(url, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as client,
    ):
        yield client


class PatientEdge(EdgeProtocol):
    """Closes no connection because a test is slow: that would fail its next request."""

    patience = replace(EdgeProtocol.patience, idle=60.0)


class TooSlow(Exception):
    """The time was over before this machine had done its own part."""


async def given_time(attempt: Callable[[float], Awaitable[None]]) -> None:
    """Try with a timeout that is short, and with longer ones while this machine is too slow for it."""
    for seconds in (0.3, 3.0):
        with suppress(TooSlow):
            await attempt(seconds)
            return
    await attempt(15.0)


async def problem_of(response: aiohttp.ClientResponse) -> tuple[int, str]:
    """Status and code, of an answer that is a problem indeed."""
    assert response.content_type == "application/problem+json"
    problem = json.loads(await response.read())
    assert problem["status"] == response.status
    return response.status, problem["code"]


async def pieces(count: int, size: int = 10_000) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 256]) * size


async def raw_answer(client: aiohttp.ClientSession, request: bytes) -> bytes:
    """All that comes back on a connection of its own, until the gateway closes it."""
    assert client._base_url is not None
    reader, writer = await asyncio.open_connection(client._base_url.host, client._base_url.port)
    try:
        writer.write(request)
        return await reader.read()
    finally:
        writer.close()


async def reached(upstream: Upstream, body: bytes) -> bool:
    return bool(upstream.bodies) and upstream.bodies[-1] == body


async def has_arrived(upstream: Upstream) -> bool:
    return bool(upstream.requests)


async def is_left(upstream: Upstream) -> bool:
    return upstream.left == 1
