"""Two gateways and two instances of a service, each stopped and started in turn while clients go on."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from contracts.topology import SERVICES
from runtime.settings import PREFIX
from tests.conftest import Servers
from tests.gateway.replica import Replica, is_ready
from tests.gateway.stand import NOBODY, SECRET, UNLIMITED

REQUESTS = 20_000
CLIENTS = 16
# As long as a balancer may take to notice, and more than this machine ever sleeps meanwhile.
DRAIN_SECONDS = 6.0
LOOK_SECONDS = 0.1


class Balancer:
    """What stands before several gateways: it asks each whether it is ready, and lets those take turns."""

    def __init__(self, session: aiohttp.ClientSession, gateways: list[Replica]) -> None:
        self._session = session
        self._gateways = gateways
        self._ready = [gateway.url for gateway in gateways]
        self._turns = itertools.count()

    def pick(self) -> str:
        return self._ready[next(self._turns) % len(self._ready)]

    async def look(self) -> None:
        while True:
            answers = await asyncio.gather(
                *(is_ready(self._session, gateway.url) for gateway in self._gateways)
            )
            ready = [gateway.url for gateway, answer in zip(self._gateways, answers, strict=True) if answer]
            self._ready = ready or self._ready
            await asyncio.sleep(LOOK_SECONDS)


@asynccontextmanager
async def clients() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        # A failure is a failure: the library would hide some by sending once more.
        session._retry_connection = False
        yield session


@pytest.fixture
async def replicas(servers: Servers, upstream_url: str) -> AsyncIterator[tuple[list[Replica], list[Replica]]]:
    common = {
        **{f"{PREFIX}{name}_SECRET": SECRET for name in ("IDENTITY", "SERVICE", "COOKIE")},
        **{f"{PREFIX}{service.name.upper()}_URL": NOBODY for service in SERVICES},
        **{f"{PREFIX}{name.upper()}": value for name, value in UNLIMITED.items()},
        f"{PREFIX}AUTH_URL": upstream_url,
        f"{PREFIX}PUBLIC_URL": "https://shop.example",
        f"{PREFIX}CARTS_REDIS_URL": servers.carts_redis_url,
        f"{PREFIX}BUS_REDIS_URL": servers.bus_redis_url,
        f"{PREFIX}DRAIN_SECONDS": str(DRAIN_SECONDS),
        f"{PREFIX}LOG_LEVEL": "ERROR",
    }
    carts = [Replica("api.carts", common) for _ in range(2)]
    urls = ",".join(replica.url for replica in carts)
    gateways = [Replica("api.gateway", common | {f"{PREFIX}CARTS_URL": urls}) for _ in range(2)]
    async with AsyncExitStack() as stack, clients() as session:
        for replica in (*carts, *gateways):
            stack.push_async_callback(replica.end)
        await asyncio.gather(*(replica.start(session) for replica in (*carts, *gateways)))
        yield carts, gateways


async def test_no_request_fails_while_everything_is_started_anew(
    replicas: tuple[list[Replica], list[Replica]],
) -> None:
    carts, gateways = replicas
    outcomes: Counter[str] = Counter()
    numbers = itertools.count()
    started_anew = asyncio.Event()

    async def client(session: aiohttp.ClientSession, balancer: Balancer) -> None:
        cart = "none"
        while outcomes.total() < REQUESTS or not started_anew.is_set():
            number = next(numbers)
            new = cart == "none" or number % 4 == 0
            method, path = ("POST", "/v1/carts") if new else ("GET", f"/v1/carts/{cart}")
            try:
                async with session.request(method, balancer.pick() + path) as response:
                    body = await response.json()
                    cart = body["id"] if response.status == 201 else cart
                    outcomes[f"{method} {response.status} {body.get('code', '')}"] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                outcomes[f"{method} {type(error).__name__}"] += 1

    async with clients() as session:
        balancer = Balancer(session, gateways)
        looking = asyncio.create_task(balancer.look())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(client(session, balancer))
                for service, gateway in zip(carts, gateways, strict=True):
                    await asyncio.gather(service.restart(session), gateway.restart(session))
                started_anew.set()
        finally:
            looking.cancel()
    assert outcomes.keys() == {"POST 201 ", "GET 200 "}, outcomes
