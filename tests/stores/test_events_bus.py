"""A bus that is away, refuses, or is another one than it was: an outage, or all is told again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from contracts.errors import Unavailable
from runtime.bus import Outgoing, open_bus
from runtime.relay import Relay
from tests.polling import until
from tests.stores.events_bench import ALL_SHARDS, SERVICE, Bench, a_subject, on_the_bus
from tests.stores.limits_valkey import Valkey
from workers.process import end_all

EVENT = Outgoing(key="1", shard=0, type="a.b", subject="x", body="{}")
REFUSALS = {
    "out of memory": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "a replica": (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
}


@asynccontextmanager
async def valkey_in(folder: Path) -> AsyncIterator[tuple[str, Redis]]:
    """A Valkey of the test's own: its URL, and a client."""
    server = Valkey(folder)
    await server.start()
    try:
        async with Redis.from_url(server.url, decode_responses=True) as redis:
            yield server.url, redis
    finally:
        server.kill()


async def test_a_bus_that_is_away_is_an_outage() -> None:
    async with open_bus("redis://127.0.0.1:1") as away:
        with pytest.raises(Unavailable):
            await away.publish(SERVICE, 0, [EVENT])


@pytest.mark.parametrize("why", REFUSALS)
async def test_a_bus_that_refuses_is_an_outage_that_ends(bench: Bench, why: str) -> None:
    subject = a_subject()
    refusing, accepting = REFUSALS[why]
    await bench.relayed()
    await bench.say(subject, 1)
    redis: Any = bench.redis
    await redis.execute_command(*refusing)
    try:
        with pytest.raises(Unavailable, match="the bus refuses"):
            await bench.relayed()
        with pytest.raises(Unavailable, match="the bus refuses"):
            await bench.bus.lease(SERVICE, "somebody")
    finally:
        await redis.execute_command(*accepting)
    assert await bench.relayed() == 1
    assert await on_the_bus(bench.redis, subject) == [1]


async def test_a_replica_that_was_behind_and_takes_over_is_told_all_again(
    bench: Bench, server_folder: Path
) -> None:
    subject = a_subject()
    async with (
        valkey_in(server_folder / "bus-first") as (first_url, first),
        valkey_in(server_folder / "bus-replica") as (replica_url, replica),
        open_bus(first_url) as bus,
        open_bus(replica_url) as next_bus,
    ):
        relay = Relay(SERVICE, bench.source, bus)
        await bench.source.acquire()
        await relay.begin(ALL_SHARDS)
        await bench.say(subject, 1)
        await relay.relay(ALL_SHARDS)
        await replica.replicaof("127.0.0.1", urlsplit(first_url).port)

        async def in_step() -> bool:
            return await on_the_bus(replica, subject) == [1]

        await until(in_step)
        await replica.replicaof("NO", "ONE")
        await bench.say(subject, 2)
        await relay.relay(ALL_SHARDS)
        assert await on_the_bus(first, subject) == [1, 2]
        assert not await next_bus.is_begun(SERVICE, ALL_SHARDS)
        working = asyncio.create_task(Relay(SERVICE, bench.source, next_bus).run())

        async def told_again() -> bool:
            return await on_the_bus(replica, subject) == [1, 1, 2]

        await until(told_again)
        await end_all([working])
