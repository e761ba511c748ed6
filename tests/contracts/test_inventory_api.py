"""Inventory over HTTP: what the contract promises visitors, staff and peers."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from api.inventory.app import inventory_app
from contracts.identity import IDENTITY_HEADER, SERVICE_HEADER, Identity, Role
from contracts.inventory import MAX_STOCK_SKUS, ReserveStock, StockLine
from contracts.problems import PROBLEM_JSON
from runtime.identity import IdentitySigner
from runtime.service_identity import ServiceProof
from runtime.settings import Settings
from services.inventory.factory import open_inventory
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.ports import free_port

SECRET = "a secret of the tests"
PRODUCTS = ServiceProof(SECRET, "products")
INVALID = (422, "request.invalid")


@dataclass(frozen=True)
class Answer:
    status: int
    content_type: str
    body: Any

    @property
    def problem(self) -> tuple[int, str]:
        assert self.content_type == PROBLEM_JSON
        return self.status, str(self.body["code"])


@dataclass(frozen=True)
class Client:
    """Somebody who calls the API: a visitor, or whom the gateway vouches for."""

    session: aiohttp.ClientSession
    identity_header: str | None = None

    def signed_in(self, *roles: Role) -> "Client":
        identity = Identity(subject="ada", roles=frozenset(roles))
        return Client(self.session, IdentitySigner(SECRET).sign(identity))

    async def call(self, method: str, path: str, body: object = None) -> Answer:
        headers = {"content-type": "application/json"}
        if path.startswith("/internal"):
            headers[SERVICE_HEADER] = PRODUCTS.for_listener("inventory")
        if self.identity_header is not None:
            headers[IDENTITY_HEADER] = self.identity_header
        data = json.dumps(body).encode() if body is not None else None
        async with self.session.request(method, path, data=data, headers=headers) as response:
            answered = await response.json(content_type=None)
            return Answer(response.status, response.content_type, answered)

    async def get(self, sku: str) -> Answer:
        return await self.call("GET", f"/v1/inventory/{sku}")

    async def put(self, sku: str, body: object) -> Answer:
        return await self.call("PUT", f"/v1/inventory/{sku}", body)

    async def adjust(self, sku: str, body: object) -> Answer:
        return await self.call("POST", f"/v1/inventory/{sku}/adjustments", body)


@pytest.fixture(scope="module")
async def settings(fresh_database: FreshDatabase) -> Settings:
    return Settings(
        identity_secret=SecretStr(SECRET),
        service_secret=SecretStr(SECRET),
        inventory_database_url=SecretStr(await fresh_database("inventory")),
    )


@pytest.fixture(scope="module")
async def visitor(settings: Settings) -> AsyncIterator[Client]:
    async with serving(inventory_app(settings)) as url, aiohttp.ClientSession(url) as session:
        yield Client(session)


@pytest.fixture(scope="module")
def staff(visitor: Client) -> Client:
    return visitor.signed_in(Role.STAFF)


@pytest.fixture
async def sku(staff: Client, settings: Settings) -> str:
    """A sku of which there are five, two of them held."""
    sku = f"SKU-{uuid4().hex}"
    assert (await staff.put(sku, {"on_hand": 5})).status == 200
    async with open_inventory(settings) as inventory:
        await inventory.reserve(ReserveStock(order_id=uuid4().hex, lines=(StockLine(sku=sku, quantity=2),)))
    return sku


async def test_anybody_sees_what_can_be_had(visitor: Client, sku: str) -> None:
    customer = visitor.signed_in(Role.CUSTOMER)
    for client in (visitor, customer):
        answer = await client.get(sku)
        assert (answer.status, answer.body) == (200, {"sku": sku, "available": 3})


@pytest.mark.parametrize("role", [Role.STAFF, Role.ADMIN])
async def test_staff_also_see_what_is_on_hand_and_held(visitor: Client, sku: str, role: Role) -> None:
    answer = await visitor.signed_in(role).get(sku)
    assert answer.body == {"sku": sku, "available": 3, "on_hand": 5, "reserved": 2}


async def test_staff_count_a_sku_anew(staff: Client, sku: str) -> None:
    for _ in range(2):
        answer = await staff.put(sku, {"on_hand": 9})
        assert (answer.status, answer.body) == (
            200,
            {"sku": sku, "available": 7, "on_hand": 9, "reserved": 2},
        )


async def test_staff_adjust_a_sku(staff: Client, sku: str) -> None:
    answer = await staff.adjust(sku, {"delta": -3, "reason": "breakage"})
    assert (answer.status, answer.body) == (200, {"sku": sku, "available": 0, "on_hand": 2, "reserved": 2})


async def test_stock_does_not_fall_below_what_is_held(staff: Client, sku: str) -> None:
    refused = (409, "inventory.below_reserved")
    assert (await staff.put(sku, {"on_hand": 1})).problem == refused
    assert (await staff.adjust(sku, {"delta": -4, "reason": "breakage"})).problem == refused
    assert (await staff.get(sku)).body["on_hand"] == 5


async def test_a_sku_does_not_grow_beyond_what_can_be_counted(staff: Client, sku: str) -> None:
    assert (await staff.put(sku, {"on_hand": 10_000_000})).status == 200
    answer = await staff.adjust(sku, {"delta": 10_000_000, "reason": "a delivery"})
    assert answer.problem == (409, "inventory.beyond_limit")


async def test_an_unknown_sku_is_not_found(staff: Client) -> None:
    assert (await staff.get("NOBODY-HAS-IT")).problem == (404, "inventory.unknown_sku")
    answer = await staff.adjust("NOBODY-HAS-IT", {"delta": 1, "reason": "a delivery"})
    assert answer.problem == (404, "inventory.unknown_sku")


async def test_only_staff_change_stock(visitor: Client, sku: str) -> None:
    adjustment = {"delta": 1, "reason": "a delivery"}
    for change in (visitor.put(sku, {"on_hand": 9}), visitor.adjust(sku, adjustment)):
        assert (await change).problem == (401, "auth.unauthenticated")
    customer = visitor.signed_in(Role.CUSTOMER)
    for change in (customer.put(sku, {"on_hand": 9}), customer.adjust(sku, adjustment)):
        assert (await change).problem == (403, "auth.forbidden")


@pytest.mark.parametrize("by", ["another secret", SECRET])
async def test_a_word_that_the_gateway_did_not_give_now_is_refused(
    visitor: Client, sku: str, by: str
) -> None:
    admin = Identity(subject="mallory", roles=frozenset({Role.ADMIN}))
    header = IdentitySigner(by).sign(admin, now=0 if by == SECRET else None)
    answer = await Client(visitor.session, header).get(sku)
    assert answer.problem == (401, "auth.identity_invalid")


@pytest.mark.parametrize("on_hand", [-1, 10_000_001, 1.5, 2.0, "5", True, None])
async def test_a_count_is_a_number_of_things(staff: Client, sku: str, on_hand: object) -> None:
    assert (await staff.put(sku, {"on_hand": on_hand})).problem == INVALID


@pytest.mark.parametrize("reason", ["", "\x00", "bro\x00ken", "\ud800", "two\nlines", "x" * 201, 1, None])
async def test_a_reason_is_a_line_of_text(staff: Client, sku: str, reason: object) -> None:
    assert (await staff.adjust(sku, {"delta": 1, "reason": reason})).problem == INVALID


@pytest.mark.parametrize("reason", ["größer als gedacht", "📦", "x" * 200])
async def test_a_reason_is_in_any_language(staff: Client, sku: str, reason: str) -> None:
    assert (await staff.adjust(sku, {"delta": 1, "reason": reason})).status == 200


async def test_an_unknown_field_is_refused(staff: Client, sku: str) -> None:
    answer = await staff.put(sku, {"on_hand": 5, "reserved": 0})
    assert answer.problem == INVALID
    assert [error["at"] for error in answer.body["errors"]] == ["/body/reserved"]


@pytest.mark.parametrize("sku", ["%00", "a%00", "%ED%A0%80", "-x", "a%20b", "x" * 65, "a%0A"])
async def test_what_cannot_be_a_sku_is_refused(staff: Client, sku: str) -> None:
    assert (await staff.get(sku)).problem == INVALID
    assert (await staff.put(sku, {"on_hand": 1})).problem == INVALID


async def test_a_body_that_is_not_json_is_malformed(staff: Client, sku: str) -> None:
    headers = {"content-type": "application/json", IDENTITY_HEADER: staff.identity_header or ""}
    async with staff.session.put(f"/v1/inventory/{sku}", data=b"{", headers=headers) as response:
        assert (response.status, (await response.json(content_type=None))["code"]) == (
            400,
            "request.malformed",
        )


async def test_peers_ask_for_many_at_once(visitor: Client, sku: str) -> None:
    answer = await visitor.call("POST", "/internal/stock", {"skus": [sku, "NOBODY-HAS-IT"]})
    assert (answer.status, answer.body) == (200, {"items": [{"sku": sku, "available": 3}]})


async def test_peers_ask_for_only_so_many(visitor: Client) -> None:
    skus = [f"SKU-{number}" for number in range(MAX_STOCK_SKUS + 1)]
    assert (await visitor.call("POST", "/internal/stock", {"skus": skus[:-1]})).status == 200
    assert (await visitor.call("POST", "/internal/stock", {"skus": skus})).problem == INVALID


async def test_a_service_is_ready_with_its_database_and_busy_without(visitor: Client) -> None:
    assert (await visitor.call("GET", "/readyz")).body == {"status": "ready"}
    nowhere = SecretStr(f"postgresql://inventory:x@127.0.0.1:{free_port()}/inventory")
    secret = SecretStr(SECRET)
    without = Settings(identity_secret=secret, service_secret=secret, inventory_database_url=nowhere)
    async with serving(inventory_app(without)) as url, aiohttp.ClientSession(url) as session:
        client = Client(session)
        assert (await client.call("GET", "/healthz")).status == 200
        assert (await client.call("GET", "/readyz")).problem == (503, "service.unavailable")
        assert (await client.get("MUG")).problem == (503, "service.unavailable")
