"""Machines with API keys at the gateway, before auth and inventory: scopes, revocation, the staff's trail."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from api.auth.app import auth_app
from api.gateway.app import Gateway
from api.inventory.app import inventory_app
from contracts.auth import Scope
from contracts.identity import Role
from runtime.settings import Settings
from services.auth.factory import open_accounts
from tests.conftest import FreshDatabase, Servers
from tests.http_server import serving
from tests.polling import until
from tests.ports import free_port

KEYS, TRAIL = "/v1/admin/api-keys", "/v1/admin/staff-actions"
ADMIN = {"email": "grace@example.com", "password": "correct horse battery"}

Code = tuple[int, str | None]


@dataclass(frozen=True)
class Edge:
    """The gateway behind a socket, and an admin's token."""

    session: aiohttp.ClientSession
    admin: str

    async def call(self, method: str, path: str, token: str, body: object = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {token}"}
        async with self.session.request(method, path, json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None) if response.status != 204 else {}

    async def code(self, method: str, path: str, token: str, body: object = None) -> Code:
        status, answer = await self.call(method, path, token, body)
        return status, answer.get("code")

    async def make(self, *scopes: Scope) -> Any:
        status, made = await self.call("POST", KEYS, self.admin, {"name": "importer", "scopes": scopes})
        assert status == 201
        return made

    async def trail(self, actor: str) -> list[tuple[str, str, int | None]]:
        _, page = await self.call("GET", f"{TRAIL}?actor={actor}", self.admin)
        return [(item["method"], item["path"], item["status"]) for item in page["items"]]


@pytest.fixture(scope="module")
async def settings(servers: Servers, fresh_database: FreshDatabase) -> Settings:
    secret = SecretStr("only our processes know")
    nobody = f"http://127.0.0.1:{free_port()}"
    others = ("products", "orders", "carts", "payments", "fulfilment", "notifications")
    return Settings.model_validate(
        {f"{name}_url": nobody for name in others}
        | dict.fromkeys(("identity_secret", "service_secret", "cookie_secret", "auth_key_secret"), secret)
        | {
            "auth_database_url": await fresh_database("auth"),
            "inventory_database_url": await fresh_database("inventory"),
            "bus_redis_url": servers.bus_redis_url,
        }
    )


@pytest.fixture(scope="module")
async def edge(settings: Settings) -> AsyncIterator[Edge]:
    async with open_accounts(settings) as accounts:
        password = SecretStr(ADMIN["password"])
        await accounts.create_user(ADMIN["email"], password, None, [Role.ADMIN])
    async with AsyncExitStack() as stack:
        urls = {
            "auth_url": await stack.enter_async_context(serving(auth_app(settings))),
            "inventory_url": await stack.enter_async_context(serving(inventory_app(settings))),
        }
        gateway = Gateway(settings.model_copy(update=urls))
        url = await stack.enter_async_context(serving(gateway))
        session = await stack.enter_async_context(aiohttp.ClientSession(url))
        async with session.post("/v1/auth/login", json=ADMIN) as response:
            yield Edge(session, (await response.json())["access_token"])


async def test_a_key_does_what_its_scope_says_and_nothing_else(edge: Edge) -> None:
    stock = f"/v1/inventory/SKU-{uuid4().hex[:8].upper()}"
    counter, reader = await edge.make(Scope.INVENTORY_WRITE), await edge.make(Scope.ORDERS_READ)
    body = {"on_hand": 3}
    assert (await edge.call("PUT", stock, counter["key"], body))[1]["on_hand"] == 3
    assert await edge.code("PUT", stock, reader["key"], body) == (403, "auth.forbidden")
    assert await edge.code("GET", "/v1/fulfilments", counter["key"]) == (403, "auth.forbidden")


async def test_where_its_scopes_say_nothing_a_machine_is_anybody(edge: Edge) -> None:
    """Services take a key's holder for one of the staff, whom they show every order and all of the stock."""
    stock = f"/v1/inventory/SKU-{uuid4().hex[:8].upper()}"
    await edge.call("PUT", stock, edge.admin, {"on_hand": 3})
    counter = await edge.make(Scope.INVENTORY_WRITE)
    assert "on_hand" in (await edge.call("GET", stock, edge.admin))[1]
    assert "on_hand" not in (await edge.call("GET", stock, counter["key"]))[1]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", KEYS), ("POST", KEYS), ("GET", TRAIL), ("GET", "/v1/auth/me")]
)
async def test_what_is_for_people_is_for_no_key(edge: Edge, method: str, path: str) -> None:
    every = await edge.make(*Scope)
    assert await edge.code(method, path, every["key"]) == (403, "auth.forbidden")


async def test_a_made_up_key_is_refused(edge: Edge) -> None:
    made_up = f"mmk_{'0' * 16}_{'0' * 64}"
    for key in (made_up, "mmk_", "mmk_x_y"):
        assert await edge.code("PUT", "/v1/inventory/MUG", key, {"on_hand": 1}) == (
            401,
            "auth.api_key_invalid",
        )


async def test_a_revoked_key_is_soon_refused(edge: Edge) -> None:
    made = await edge.make(Scope.INVENTORY_WRITE)
    stock = f"/v1/inventory/SKU-{uuid4().hex[:8].upper()}"
    assert (await edge.code("PUT", stock, made["key"], {"on_hand": 3}))[0] == 200
    assert (await edge.code("DELETE", f"{KEYS}/{made['id']}", edge.admin))[0] == 204

    async def is_refused() -> bool:
        return await edge.code("PUT", stock, made["key"], {"on_hand": 3}) == (401, "auth.api_key_invalid")

    await until(is_refused)


async def test_what_a_key_does_is_in_the_trail_with_its_end(edge: Edge) -> None:
    made = await edge.make(Scope.INVENTORY_WRITE)
    stock = f"/v1/inventory/SKU-{uuid4().hex[:8].upper()}"
    await edge.code("PUT", stock, made["key"], {"on_hand": 3})
    await edge.code("PUT", stock, made["key"], {"on_hand": -1})

    async def both_have_ended() -> bool:
        return await edge.trail(f"key:{made['id']}") == [("PUT", stock, 422), ("PUT", stock, 200)]

    await until(both_have_ended)


async def test_what_is_only_read_or_refused_at_the_edge_is_not_in_the_trail(edge: Edge) -> None:
    made = await edge.make(Scope.ORDERS_READ)
    await edge.code("GET", "/v1/inventory/MUG", made["key"])
    await edge.code("PUT", "/v1/inventory/MUG", made["key"], {"on_hand": 1})
    assert await edge.trail(f"key:{made['id']}") == []


async def test_while_auth_is_away_the_staff_changes_nothing(settings: Settings, edge: Edge) -> None:
    """A gateway of its own, whose auth goes away after it has shown its keys."""
    stock = f"/v1/inventory/SKU-{uuid4().hex[:8].upper()}"
    async with AsyncExitStack() as stack:
        inventory = await stack.enter_async_context(serving(inventory_app(settings)))
        away = AsyncExitStack()
        auth = await away.enter_async_context(serving(auth_app(settings)))
        gateway = Gateway(settings.model_copy(update={"auth_url": auth, "inventory_url": inventory}))
        url = await stack.enter_async_context(serving(gateway))
        session = await stack.enter_async_context(aiohttp.ClientSession(url))
        lonely = Edge(session, edge.admin)
        assert (await lonely.code("PUT", stock, edge.admin, {"on_hand": 3}))[0] == 200
        await away.aclose()
        refused = await lonely.code("PUT", stock, edge.admin, {"on_hand": 9})
        assert refused == (503, "gateway.staff_action_not_noted")
        status, seen = await lonely.call("GET", stock, edge.admin)
        assert (status, seen["on_hand"]) == (200, 3)
        key = f"mmk_{'1' * 16}_{'1' * 64}"
        assert await lonely.code("GET", stock, key) == (503, "auth.api_keys_unavailable")


async def test_many_requests_with_a_new_key_at_once_are_all_let_through(edge: Edge) -> None:
    made = await edge.make(Scope.INVENTORY_WRITE)
    answers = await asyncio.gather(
        *(edge.code("GET", "/v1/inventory/NOBODY-HAS-IT", made["key"]) for _ in range(50))
    )
    assert len(set(answers)) == 1
    assert answers[0][0] in (200, 404)
