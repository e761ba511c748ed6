"""How many connections may be open: one too many is told so and closed, and no other notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from prometheus_client import REGISTRY

from api.gateway.occupancy import TOLD_AT_ONCE
from api.gateway.patience import Patience
from tests.gateway.raw_requests import get
from tests.gateway.stand import gateway_before, settings
from tests.polling import until

DEADLINE_SECONDS = 60.0
# No connection is closed for having been slow.
PATIENT = Patience(head=60.0, idle=60.0, linger=60.0)
REFUSED = "micromart_gateway_connections_refused_total"


class Connection:
    """One raw connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self) -> bytes:
        """The status line of one more request's answer; nothing where the gateway has closed."""
        self._writer.write(get())
        async with asyncio.timeout(DEADLINE_SECONDS):
            head, _, _ = (await self._reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")
            return head

    async def heard(self) -> bytes:
        """All that comes without a request being sent, until the gateway closes."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self._reader.read()

    def close(self) -> None:
        self._writer.close()


class Entrance:
    """A gateway's port, and the connections of a test to it."""

    def __init__(self, port: int, stack: AsyncExitStack) -> None:
        self._port = port
        self._stack = stack

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        streams = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
        connection = Connection(*streams)
        self._stack.callback(connection.close)
        return connection

    async def is_let_in(self) -> bool:
        connection = await self.connect()
        try:
            return await connection.ask() == b"HTTP/1.1 200 OK"
        finally:
            connection.close()


@asynccontextmanager
async def entrance(upstream_url: str, **changes: str) -> AsyncIterator[Entrance]:
    configured = settings(upstream_url, **changes)
    async with gateway_before(configured, patience=PATIENT) as client, AsyncExitStack() as stack:
        assert client._base_url is not None
        assert client._base_url.port is not None
        yield Entrance(client._base_url.port, stack)


def refused(bound: str) -> float:
    return REGISTRY.get_sample_value(REFUSED, {"bound": bound}) or 0.0


@pytest.mark.parametrize(
    ("setting", "bound"), [("max_connections", "all"), ("max_connections_per_address", "address")]
)
async def test_one_connection_too_many_is_told_so_and_others_go_on(
    upstream_url: str, setting: str, bound: str
) -> None:
    async with entrance(upstream_url, **{setting: "5"}) as gateway:
        before = refused(bound)
        good = [await gateway.connect() for _ in range(5)]
        assert [await connection.ask() for connection in good] == [b"HTTP/1.1 200 OK"] * 5

        told = await (await gateway.connect()).heard()

        assert told.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 5\r\n" in told
        assert b"\r\nconnection: close\r\n" in told
        assert b'"code":"gateway.too_many_connections"' in told
        assert refused(bound) == before + 1
        assert [await connection.ask() for connection in good] == [b"HTTP/1.1 200 OK"] * 5


async def test_who_asks_at_once_hears_it_as_well(upstream_url: str) -> None:
    async with entrance(upstream_url, max_connections="1") as gateway:
        good = await gateway.connect()
        assert await good.ask() == b"HTTP/1.1 200 OK"
        for _ in range(20):
            assert await (await gateway.connect()).ask() == b"HTTP/1.1 503 Service Unavailable"


async def test_one_that_closes_lets_one_in(upstream_url: str) -> None:
    async with entrance(upstream_url, max_connections_per_address="3") as gateway:
        good = [await gateway.connect() for _ in range(3)]
        assert [await connection.ask() for connection in good] == [b"HTTP/1.1 200 OK"] * 3
        assert not await gateway.is_let_in()
        good[0].close()
        await until(gateway.is_let_in)


async def test_one_address_leaves_places_for_another(upstream_url: str) -> None:
    async with entrance(upstream_url, max_connections_per_address="2") as gateway:
        for _ in range(3):
            full = await gateway.connect()
        assert (await full.heard()).startswith(b"HTTP/1.1 503 ")
        assert await (await gateway.connect("127.0.0.2")).ask() == b"HTTP/1.1 200 OK"


async def test_a_proxy_of_ours_brings_as_many_as_it_has(upstream_url: str) -> None:
    changes = {"max_connections_per_address": "1", "trusted_proxies": "127.0.0.0/8"}
    async with entrance(upstream_url, **changes) as gateway:
        many = [await gateway.connect() for _ in range(10)]
        assert [await connection.ask() for connection in many] == [b"HTTP/1.1 200 OK"] * 10


async def test_a_proxy_of_ours_counts_for_all(upstream_url: str) -> None:
    changes = {"max_connections": "2", "trusted_proxies": "127.0.0.0/8"}
    async with entrance(upstream_url, **changes) as gateway:
        for _ in range(3):
            full = await gateway.connect()
        assert (await full.heard()).startswith(b"HTTP/1.1 503 ")


async def test_refused_ones_that_stay_are_cut_unheard_when_they_are_many(upstream_url: str) -> None:
    async with entrance(upstream_url, max_connections="1") as gateway:
        good = await gateway.connect()
        assert await good.ask() == b"HTTP/1.1 200 OK"
        # Each is told and does not close, so that the gateway waits for it.
        for _ in range(TOLD_AT_ONCE):
            await gateway.connect()
        assert await (await gateway.connect()).heard() == b""
        assert await good.ask() == b"HTTP/1.1 200 OK"
