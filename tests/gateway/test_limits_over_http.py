"""Limits as clients meet them: over HTTP, at gateway processes that count in one Valkey, or in none."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path

import aiohttp
import pytest

from contracts.topology import SERVICES
from runtime.settings import PREFIX
from tests.conftest import Servers
from tests.gateway.asker import asking
from tests.gateway.raw_requests import head
from tests.gateway.replica import Replica
from tests.gateway.stand import ISSUER, SECRET, UNLIMITED, Upstream
from tests.polling import until
from tests.stores.limits_valkey import Valkey

REQUESTS, QUOTA = 10_000, 5_000
# So many that none of them is refused often enough to be held back for it.
ADDRESSES = [f"127.0.0.{number}" for number in range(40, 60)]
SIGN_INS = 40
# What a process that counts alone lets through: half of its share, and it is one of two.
SIGN_INS_ALONE = SIGN_INS // 4
# Of each kind, once Valkey is gone.
ANSWERS = 300
READ = head("GET", "/v1/products")
WRITE = head("POST", "/v1/carts", "Content-Length: 0")
SIGN_IN = head("POST", "/v1/auth/login", "Content-Length: 0")


@asynccontextmanager
async def gateways(count: int, upstream_url: str, valkey_url: str, **limits: str) -> AsyncIterator[list[str]]:
    """So many gateway processes that share the Valkey, by their URLs."""
    told = {
        **{f"{PREFIX}{name}_SECRET": SECRET for name in ("IDENTITY", "SERVICE", "COOKIE")},
        **{f"{PREFIX}{service.name.upper()}_URL": upstream_url for service in SERVICES},
        **{f"{PREFIX}{name.upper()}": rate for name, rate in (UNLIMITED | limits).items()},
        f"{PREFIX}BUS_REDIS_URL": valkey_url,
        f"{PREFIX}GATEWAY_PROCESSES": "2",
    }
    replicas = [Replica("tests.gateway.patient_gateway", told) for _ in range(count)]
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        for replica in replicas:
            stack.push_async_callback(replica.end)
        await asyncio.gather(*(replica.start(session) for replica in replicas))
        for replica in replicas:
            assert await counts_for_all(session, replica.url)
        yield [replica.url for replica in replicas]


async def counts_for_all(session: aiohttp.ClientSession, url: str) -> bool:
    """Whether a gateway counts together with the others, by its own word."""
    async with session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return "micromart_gateway_limits_shared 1.0" in lines


@pytest.fixture
async def valkey(server_folder: Path) -> AsyncIterator[Valkey]:
    server = Valkey(server_folder / "limits-over-http")
    await server.start()
    yield server
    server.kill()


async def test_two_gateways_let_through_exactly_the_quota(
    servers: Servers, upstream: Upstream, upstream_url: str
) -> None:
    request = head(
        "POST", "/v1/carts", f"Authorization: Bearer {ISSUER.token(sub='exact')}", "Content-Length: 0"
    )
    numbers = iter(range(REQUESTS))
    statuses: Counter[int] = Counter()

    async def ask(url: str, address: str) -> None:
        async with asking(url, address) as asker:
            for _ in numbers:
                statuses[await asker.ask(request)] += 1

    async with (
        gateways(2, upstream_url, servers.bus_redis_url, limit_write=f"{QUOTA}/hour") as urls,
        asyncio.TaskGroup() as group,
    ):
        for url, address in product(urls, ADDRESSES):
            group.create_task(ask(url, address))
    assert statuses == {200: QUOTA, 429: REQUESTS - QUOTA}
    assert len(upstream.requests) == QUOTA


async def test_valkey_killed_under_load_fails_no_request_and_sign_ins_stay_few(
    valkey: Valkey, upstream_url: str
) -> None:
    async with (
        gateways(1, upstream_url, valkey.url, limit_sign_in=f"{SIGN_INS}/hour") as (url,),
        asking(url) as guesser,
        aiohttp.ClientSession() as session,
    ):
        before = [await guesser.ask(SIGN_IN) for _ in range(2 * SIGN_INS)]
        assert Counter(before) == {200: SIGN_INS, 429: SIGN_INS}
        answered: dict[bytes, Counter[int]] = {each: Counter() for each in (READ, WRITE, SIGN_IN)}
        over = asyncio.Event()

        async def ask(request: bytes) -> None:
            async with asking(url) as asker:
                while not over.is_set():
                    answered[request][await asker.ask(request)] += 1

        async def each_was_answered() -> bool:
            return all(statuses.total() >= ANSWERS for statuses in answered.values())

        async def counts_alone() -> bool:
            return not await counts_for_all(session, url)

        async with asyncio.TaskGroup() as group:
            for request in 4 * list(answered):
                group.create_task(ask(request))
            await until(each_was_answered)
            valkey.kill()
            await until(counts_alone)
            at_the_kill = {request: statuses.total() for request, statuses in answered.items()}

            async def each_was_answered_again() -> bool:
                return all(
                    statuses.total() >= at_the_kill[request] + ANSWERS
                    for request, statuses in answered.items()
                )

            await until(each_was_answered_again)
            over.set()
    assert answered[READ].keys() == answered[WRITE].keys() == {200}
    assert answered[SIGN_IN].keys() <= {200, 429}
    assert answered[SIGN_IN][200] <= SIGN_INS_ALONE
