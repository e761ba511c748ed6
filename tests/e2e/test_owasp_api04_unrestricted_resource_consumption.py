"""OWASP API4:2023. What one request, and one caller, can have is bounded."""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from secrets import token_hex

import aiohttp
import pytest

from api.gateway.routes import ROUTES, LimitClass
from tests.e2e.operations import Operation, Schema, operations_of
from tests.e2e.shop import Shop
from tests.e2e.shopper import PASSWORD, Shopper
from tests.gateway.stand import ISSUER, Upstream, gateway_before, settings
from tests.gateway_peers import bearer
from tests.http_server import serving
from tests.platform_process import FAILURES

INVALID = (422, "request.invalid")
# Their items are few by their nature: the lines of a cart or an order, and what the configuration names.
WHOLE = {"GET /v1/auth/oidc"}
_COUNTED = re.compile(r"\{\d*,?\d+\}\)?\$$")


@pytest.fixture(scope="module")
async def operations(shop: Shop) -> list[Operation]:
    return await operations_of(shop)


@pytest.fixture(scope="module")
async def upstream_url() -> AsyncIterator[str]:
    async with serving(Upstream()) as url:
        yield url


async def test_every_list_comes_in_pages(operations: list[Operation]) -> None:
    unbounded = []
    for operation in operations:
        answers = operation.answers()
        if "next_cursor" in answers:
            limit = operation.query("limit") or {}
            if (limit.get("minimum"), limit.get("maximum")) != (1, 100):
                unbounded.append(operation.shape)
        elif "items" in answers and not answers.keys() & {"id"} and operation.shape not in WHOLE:
            unbounded.append(operation.shape)
    assert unbounded == []


async def test_every_text_and_list_in_a_body_has_an_end(operations: list[Operation]) -> None:
    endless = [
        f"{operation.shape} {at}"
        for operation in operations
        for at, schemas in operation.body().items()
        for schema in schemas
        if _is_endless(schema)
    ]
    assert endless == []


def _is_endless(schema: Schema) -> bool:
    if schema.get("type") == "array":
        # A set of names has no more items than there are names.
        return "maxItems" not in schema and not schema.get("uniqueItems")
    if schema.get("type") != "string" or schema.keys() & {"maxLength", "enum", "const"}:
        return False
    return schema.get("format") != "date-time" and not _COUNTED.search(schema.get("pattern", ""))


async def test_no_page_is_larger_than_a_hundred(shop: Shop, operations: list[Operation]) -> None:
    for operation in operations:
        if operation.query("limit") and operation.is_for_everybody:
            for limit in ("0", "101", "-1", "1e9", "9" * 30):
                assert (await shop.guest.get(f"{operation.path}?limit={limit}")).problem == INVALID


async def test_a_body_is_not_inflated(shop: Shop) -> None:
    bomb = gzip.compress(json.dumps({"email": "a" * 50_000_000, "password": PASSWORD}).encode())
    headers = {"Content-Encoding": "gzip"}
    answer = await shop.guest.call("POST", "/v1/auth/login", data=bomb, headers=headers)
    assert answer.problem in {(400, "request.malformed"), (415, "request.unsupported_encoding")}


@pytest.mark.parametrize(
    "body",
    [b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000],
    ids=["lists", "objects"],
)
async def test_nesting_is_refused_and_takes_nobody_down(shop: Shop, body: bytes) -> None:
    answer = await shop.guest.call("POST", "/v1/auth/login", data=body)
    assert answer.problem[0] in (400, 422)
    assert (await shop.guest.get("/v1/auth/oidc")).status == 200


async def test_many_parameters_and_long_words_are_refused(shop: Shop) -> None:
    assert (await shop.guest.get(f"/v1/products?q={'x' * 201}")).problem == INVALID
    assert (await shop.guest.get(f"/v1/products?cursor={'x' * 1_001}")).problem == INVALID
    many = "&".join(f"a{number}=1" for number in range(20_000))
    assert (await shop.guest.get(f"/v1/products?{many}")).problem == (431, "request.head_too_large")


async def test_a_flood_of_sign_ins_leaves_others_alone(shop: Shop) -> None:
    """Hashing is dear: what comes beyond the room for it is refused or throttled, and nothing fails."""
    customer = await shop.customer()
    connector = aiohttp.TCPConnector(local_addr=("127.0.0.31", 0), limit=0)
    async with aiohttp.ClientSession(shop.settings.gateway_url, connector=connector) as session:
        guesser = Shopper(session, set())

        async def guess() -> int:
            account = {"email": f"{token_hex(8)}@example.com", "password": PASSWORD}
            return (await guesser.call("POST", "/v1/auth/login", account)).status

        flood = asyncio.gather(*(guess() for _ in range(FAILURES + 20)))
        while not flood.done():
            assert (await customer.get("/v1/auth/me")).status == 200
        statuses = Counter(await flood)
    assert statuses.keys() <= {401, 429, 503}
    assert statuses[401] <= FAILURES, "that often an address may fail"


LIMITED = {
    LimitClass.READ: ("GET", "/v1/products"),
    LimitClass.WRITE: ("POST", "/v1/carts"),
    LimitClass.CHECKOUT: ("POST", "/v1/checkouts"),
    LimitClass.SIGN_IN: ("POST", "/v1/auth/login"),
    LimitClass.WEBHOOK: ("POST", "/v1/payments/webhooks/sandbox"),
}


def test_every_kind_of_limit_is_tried_and_every_route_has_one() -> None:
    assert LIMITED.keys() == {route.limit_class for route in ROUTES}
    # The Temporal UI's paths are not in the table; test_temporal_limits.py tries theirs.
    assert set(LimitClass) - LIMITED.keys() == {LimitClass.TEMPORAL}


@pytest.mark.parametrize("limit", LIMITED, ids=str)
async def test_who_asks_too_often_is_told_when_to_come_back(upstream_url: str, limit: LimitClass) -> None:
    method, path = LIMITED[limit]
    configured = settings(upstream_url, gateway_processes="1", **{f"limit_{limit}": "6/minute"})
    async with gateway_before(configured) as client:
        answers = []
        for _ in range(12):
            async with client.request(method, path) as response:
                answers.append((response.status, response.headers))
    status, headers = answers[-1]
    assert (answers[0][0], status) == (200, 429)
    assert {"ratelimit", "ratelimit-policy", "retry-after"} <= {name.lower() for name in headers}


async def test_one_callers_limit_is_not_anothers(upstream_url: str) -> None:
    configured = settings(upstream_url, gateway_processes="1", limit_write="3/minute")
    async with gateway_before(configured) as client:
        for sub in ("ada", "bob"):
            async with client.post("/v1/carts", headers=bearer(ISSUER.token(sub=sub))) as response:
                assert response.status == 200
        statuses = set()
        for _ in range(8):
            async with client.post("/v1/carts", headers=bearer(ISSUER.token(sub="ada"))) as response:
                statuses.add(response.status)
        async with client.post("/v1/carts", headers=bearer(ISSUER.token(sub="bob"))) as response:
            assert (response.status, 429 in statuses) == (200, True)


async def test_nobody_gets_a_new_limit_by_saying_that_they_are_elsewhere(upstream_url: str) -> None:
    configured = settings(upstream_url, gateway_processes="1", limit_sign_in="3/minute")
    async with gateway_before(configured) as client:
        statuses = []
        for number in range(8):
            headers = dict.fromkeys(("X-Forwarded-For", "X-Real-IP", "Forwarded"), f"10.0.0.{number}")
            async with client.post("/v1/auth/login", headers=headers) as response:
                statuses.append(response.status)
    assert statuses[-1] == 429
