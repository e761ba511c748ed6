"""Two gateways before a real auth, and what people do at them with their sessions."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from pydantic import SecretStr

from api.auth.app import auth_app
from api.gateway.app import Gateway
from runtime.settings import Settings
from tests.conftest import FreshDatabase, Servers
from tests.gateway.stand import NOBODY, UNLIMITED, PatientEdge
from tests.http_server import serving
from tests.polling import until

ME, REFRESH, SESSIONS = "/v1/auth/me", "/v1/auth/refresh", "/v1/auth/sessions"
ENDED, INVALID = (401, "auth.session_ended"), (401, "auth.token_invalid")


@dataclass(frozen=True)
class Edge:
    """One gateway."""

    session: aiohttp.ClientSession

    async def call(self, method: str, path: str, token: str = "", body: object = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with self.session.request(method, path, json=body, headers=headers) as response:
            return response.status, json.loads(await response.read() or b"{}")

    async def code(self, method: str, path: str, token: str) -> tuple[int, str | None]:
        status, answer = await self.call(method, path, token)
        return status, answer.get("code")

    async def sign_in(self, email: str) -> Any:
        """The tokens of another session."""
        account = {"email": email, "password": "correct horse battery"}
        await self.call("POST", "/v1/auth/register", body=account)
        return (await self.call("POST", "/v1/auth/login", body=account))[1]


@dataclass(frozen=True)
class Platform:
    """Two gateways before one auth."""

    settings: Settings
    one: Edge
    other: Edge

    @asynccontextmanager
    async def fresh_edge(self) -> AsyncIterator[Edge]:
        """A gateway that begins now."""
        async with (
            serving(Gateway(self.settings), protocol=PatientEdge) as url,
            aiohttp.ClientSession(url) as session,
        ):
            yield Edge(session)

    async def is_refused_everywhere(self, token: str) -> None:
        """Return as soon as neither gateway takes it for one of ours any more."""

        async def is_refused() -> bool:
            codes = {await edge.code("GET", ME, token) for edge in (self.one, self.other)}
            return codes == {INVALID}

        await until(is_refused)


@asynccontextmanager
async def platform_over(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Platform]:
    """A platform of accounts alone, on a database of its own."""
    secrets = ("identity_secret", "service_secret", "cookie_secret", "auth_key_secret")
    others = ("products", "inventory", "orders", "carts", "payments", "fulfilment", "notifications")
    settings = Settings.model_validate(
        {f"{name}_url": NOBODY for name in others}
        | dict.fromkeys(secrets, SecretStr("only our processes know"))
        | UNLIMITED
        | {"auth_database_url": await fresh_database("auth"), "bus_redis_url": servers.bus_redis_url}
        # What comes at once may still take this machine its time.
        | {"refresh_grace_seconds": 60}
    )
    async with AsyncExitStack() as stack:
        auth_url = await stack.enter_async_context(serving(auth_app(settings)))
        settings = settings.model_copy(update={"auth_url": auth_url})
        edges = []
        for _ in range(2):
            url = await stack.enter_async_context(serving(Gateway(settings), protocol=PatientEdge))
            edges.append(Edge(await stack.enter_async_context(aiohttp.ClientSession(url))))
        yield Platform(settings, *edges)
