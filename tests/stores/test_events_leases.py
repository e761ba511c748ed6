"""Who consumes a shard: one at a time, and whoever comes after leaves nothing behind."""

import asyncio

import pytest

from runtime.shard_lease import ShardLease
from runtime.shards import shard_of
from tests.conftest import Servers
from tests.polling import until
from tests.stores.consumer_process import Job, consuming
from tests.stores.events_bench import ALL_SHARDS, SERVICE, Bench, a_subject
from workers.process import end_all


@pytest.fixture
def job(bench: Bench, servers: Servers) -> Job:
    return Job(database_url=bench.url, bus_url=servers.bus_redis_url)


async def test_one_consumer_is_active_for_a_shard(bench: Bench) -> None:
    assert (await bench.bus.lease(SERVICE, "one")).held == ALL_SHARDS
    assert (await bench.bus.lease(SERVICE, "other")).held == frozenset()
    assert (await bench.bus.lease(SERVICE, "one")).held == ALL_SHARDS, "the holder keeps it"
    await bench.bus.give_up(SERVICE, "one")
    assert (await bench.bus.lease(SERVICE, "other")).held == ALL_SHARDS


async def test_a_shard_that_was_free_is_new_even_to_who_had_it_before(bench: Bench) -> None:
    assert (await bench.bus.lease(SERVICE, "one")).new == ALL_SHARDS
    assert (await bench.bus.lease(SERVICE, "one")).new == frozenset()
    await bench.redis.delete(f"lease:{SERVICE}:2")
    lease = await bench.bus.lease(SERVICE, "one")
    assert (lease.held, lease.new) == (ALL_SHARDS, frozenset({2}))


async def test_what_was_read_around_a_moment_without_the_lease_is_read_again(bench: Bench) -> None:
    lease = ShardLease(SERVICE, bench.bus)
    async with lease.kept():
        shards = await lease.shards()
        lease.take_unread()
        assert lease.covers(shards)
        await bench.redis.delete(f"lease:{SERVICE}:2")

        async def is_noticed() -> bool:
            return not lease.covers(shards)

        await until(is_noticed)
        assert lease.covers(shards - {2})
        assert lease.take_unread() == {2}
        assert lease.covers(shards)
    assert not lease.covers(shards)


async def test_a_dead_consumers_shards_are_taken_over(bench: Bench, job: Job) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    async with consuming(job.model_copy(update={"dies_at": subject})) as doomed:
        await doomed.died()
    assert await lease_is_held(bench, shard_of(subject)), "nobody gave it up"
    await heard_by_a_consumer(bench, subject, [1, 2])


async def test_a_lease_is_renewed_while_its_holder_reacts(bench: Bench) -> None:
    subject = a_subject()
    gate = bench.listener.gates[subject] = asyncio.Event()
    await bench.say(subject, *range(15))
    await bench.relayed()
    consuming_it = asyncio.create_task(bench.consumer.run())
    try:
        await until(lambda: is_begun(bench))
        left = await lease_milliseconds(bench, shard_of(subject))

        async def is_renewed() -> bool:
            nonlocal left
            before, left = left, await lease_milliseconds(bench, shard_of(subject))
            return left > before

        await until(is_renewed)
        assert await unacknowledged(bench) == 15, "renewed within the batch"
        gate.set()

        async def is_done() -> bool:
            return await unacknowledged(bench) == 0

        await until(is_done)
        assert await bench.effects(subject) == list(range(15))
    finally:
        await end_all([consuming_it])


async def test_one_that_was_stopped_and_goes_on_leaves_nothing_of_the_one_between_behind(
    bench: Bench, job: Job
) -> None:
    stopping = a_subject(shard=1)
    subject = a_subject(shard=1)
    await bench.relayed()
    async with consuming(job.model_copy(update={"stops_at": stopping})) as first:
        await bench.say(stopping, 1)
        await bench.relayed()
        await first.stopped()
        async with consuming(job.model_copy(update={"dies_at": subject})) as second:
            await bench.say(subject, 1)
            await bench.relayed()
            await second.died()

        async def is_free() -> bool:
            return not await lease_is_held(bench, 1)

        await until(is_free)
        await bench.say(subject, 2)
        await bench.relayed()
        first.go_on()

        async def is_heard() -> bool:
            return 2 in await bench.effects(subject)

        await until(is_heard)
    assert await bench.effects(subject) == [1, 2]


async def test_what_is_taken_out_of_a_stream_by_hand_keeps_nothing_that_was_delivered_from_coming_again(
    bench: Bench,
) -> None:
    subject = a_subject(shard=0)
    await bench.say(subject, *range(120))
    await bench.relayed()
    deliveries = await bench.bus.read(SERVICE, bench.streams, count=120, again=False)
    await bench.redis.xdel(bench.streams[0], *(each.entry for each in deliveries[:110]))
    while await bench.heard(again=True):
        pass
    assert await bench.effects(subject) == list(range(110, 120))
    assert await unacknowledged(bench) == 0


async def heard_by_a_consumer(bench: Bench, subject: str, numbers: list[int]) -> None:
    """Let another consumer run until it has come so far."""

    async def is_so() -> bool:
        return await bench.effects(subject) == numbers

    consuming_it = asyncio.create_task(bench.consumer.run())
    try:
        await until(is_so)
    finally:
        await end_all([consuming_it])


async def lease_is_held(bench: Bench, shard: int) -> bool:
    return bool(await bench.redis.exists(f"lease:{SERVICE}:{shard}"))


async def lease_milliseconds(bench: Bench, shard: int) -> int:
    return int(await bench.redis.pttl(f"lease:{SERVICE}:{shard}"))


async def is_begun(bench: Bench) -> bool:
    return bool(bench.listener.attempts)


async def unacknowledged(bench: Bench) -> int:
    return sum([(await bench.redis.xpending(stream, SERVICE))["pending"] for stream in bench.streams])
