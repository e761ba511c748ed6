"""The relay: from the outbox to the bus, nothing lost, in order, whoever dies meanwhile."""

import asyncio

from prometheus_client import REGISTRY

from contracts.events import Event
from runtime.bus import Bus
from runtime.postgres_outbox import open_postgres_outbox
from runtime.relay import BATCH, Relay
from tests.polling import until
from tests.stores.events_bench import ALL_SHARDS, SERVICE, Bench, a_subject, on_the_bus
from workers.process import end_all


async def test_a_subjects_events_arrive_once_and_in_order(bench: Bench) -> None:
    subject, other = a_subject(), a_subject()
    for number in range(5):
        await bench.say(subject, number)
        await bench.say(other, number)
    assert await bench.relayed() == 10
    assert await bench.relayed() == 0
    assert await on_the_bus(bench.redis, subject) == [0, 1, 2, 3, 4]


async def test_an_event_says_on_the_bus_what_it_said_in_the_outbox(bench: Bench) -> None:
    subject = a_subject()
    [said] = await bench.say(subject, 1, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    await bench.relayed()
    await bench.bus.begin(SERVICE, 0)
    [delivery] = await bench.bus.read(SERVICE, bench.streams, count=10, again=False)
    assert Event.model_validate_json(delivery.body) == said


async def test_a_relay_that_dies_before_it_marks_tells_again(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1)
    await bench.source.acquire()
    for shard in ALL_SHARDS:
        await bench.bus.begin(SERVICE, shard)
    [event] = await bench.source.unpublished(ALL_SHARDS, 10)
    await bench.bus.publish(SERVICE, event.shard, [event])
    assert await bench.relayed() == 1
    assert await on_the_bus(bench.redis, subject) == [1, 1]


async def test_a_stand_by_takes_over_when_the_active_relay_is_gone(bench: Bench) -> None:
    assert await bench.source.acquire() == ALL_SHARDS
    async with open_postgres_outbox(bench.url) as stand_by:
        assert await stand_by.acquire() == frozenset()
        await bench.source.close()
        assert await stand_by.acquire() == ALL_SHARDS
        await bench.say(a_subject(), 1)
        assert await Relay(SERVICE, stand_by, bench.bus).relay(ALL_SHARDS) == 0, "the bus was not begun yet"
        assert await Relay(SERVICE, stand_by, bench.bus).relay(ALL_SHARDS) == 1


async def test_a_wiped_bus_is_told_everything_again_before_anything_new(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.redis.flushall()
    await bench.say(subject, 3)
    # It notices while it publishes: nothing new gets in before what has to be told again.
    await bench.relay.relay(ALL_SHARDS)
    await bench.relay.relay(ALL_SHARDS)
    assert await on_the_bus(bench.redis, subject) == [1, 2, 3]


async def test_told_to_forget_it_tells_all_again(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.bus.forget(SERVICE)
    await bench.relayed()
    assert await on_the_bus(bench.redis, subject) == [1, 2, 1, 2]


async def test_a_relay_that_dies_while_it_has_all_told_again_is_repeated_by_the_next(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.redis.flushall()
    await bench.source.republish(frozenset({0, 1}))
    await bench.source.close()
    async with open_postgres_outbox(bench.url) as next_one:
        relay = Relay(SERVICE, next_one, bench.bus)
        working = asyncio.create_task(relay.run())

        async def told() -> bool:
            return await on_the_bus(bench.redis, subject) == [1, 2]

        await until(told)
        await end_all([working])


async def test_a_stream_that_nobody_reads_stops_growing_and_loses_nothing(bench: Bench) -> None:
    small = Bus(bench.redis, max_length=3, trimmed_above=0)
    relay = Relay(SERVICE, bench.source, small)
    subject = a_subject()
    await bench.relayed()
    await bench.say(subject, 1, 2, 3, 4, 5)
    assert await relay.relay(ALL_SHARDS) == 3
    assert await relay.relay(ALL_SHARDS) == 0
    await bench.heard()
    await _acknowledged_by(small, "orders")
    assert await relay.relay(ALL_SHARDS) == 2
    await bench.heard()
    assert await bench.effects(subject) == [1, 2, 3, 4, 5]


async def test_a_full_stream_holds_up_no_other(bench: Bench) -> None:
    relay = Relay(SERVICE, bench.source, Bus(bench.redis, max_length=3, trimmed_above=0))
    await bench.relayed()
    stuck, other = a_subject(shard=0), a_subject(shard=1)
    await bench.say(stuck, *range(2 * BATCH))
    await bench.say(other, 1)
    await relay.relay(ALL_SHARDS)
    assert await on_the_bus(bench.redis, other) == [1]


async def test_a_loop_asks_a_full_stream_again_and_again(bench: Bench) -> None:
    relay = Relay(SERVICE, bench.source, Bus(bench.redis, max_length=3, trimmed_above=0))
    subject = a_subject()
    await bench.say(subject, *range(7))
    working = asyncio.create_task(relay.run())

    async def all_heard() -> bool:
        await bench.heard()
        await _acknowledged_by(bench.bus, "orders")
        return await bench.effects(subject) == list(range(7))

    await until(all_heard)
    await end_all([working])


async def test_what_waits_and_how_long_the_streams_are_can_be_seen(bench: Bench) -> None:
    small = Bus(bench.redis, max_length=3, trimmed_above=0)
    await bench.relayed()
    await bench.say(a_subject(shard=2), *range(5))
    await Relay(SERVICE, bench.source, small).relay(ALL_SHARDS)
    working = asyncio.create_task(Relay(SERVICE, bench.source, small).run())

    async def seen() -> bool:
        return _measured("backlog") == 2 and _measured("on_bus", shard="2") == 3

    await until(seen)
    async with open_postgres_outbox(bench.url) as other:
        stand_by = asyncio.create_task(Relay(SERVICE, other, small).run())

        async def told_by_nobody() -> bool:
            return _measured("backlog") is None and _measured("on_bus", shard="2") is None

        await until(told_by_nobody)
        await end_all([working, stand_by])


async def test_trimming_keeps_what_a_group_has_not_acknowledged(bench: Bench) -> None:
    small = Bus(bench.redis, trimmed_above=0)
    subject = a_subject()
    await bench.say(subject, 1, 2, 3)
    await bench.relayed()
    await _acknowledged_by(small, "orders")
    deliveries = await small.read(SERVICE, bench.streams, count=2, again=False)
    await small.acknowledge(SERVICE, deliveries[:1])
    for shard in ALL_SHARDS:
        await small.trim(SERVICE, shard)
    assert await on_the_bus(bench.redis, subject) == [2, 3]


async def test_trimming_keeps_everything_from_a_group_that_has_heard_nothing(bench: Bench) -> None:
    small = Bus(bench.redis, trimmed_above=0)
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await _acknowledged_by(small, SERVICE)
    for shard in ALL_SHARDS:
        await small.trim(SERVICE, shard)
    assert await on_the_bus(bench.redis, subject) == [1, 2]


def _measured(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"micromart_events_{name}", {"service": SERVICE, **labels})


async def _acknowledged_by(bus: Bus, group: str) -> None:
    streams = [f"events:{SERVICE}:{shard}" for shard in ALL_SHARDS]
    await bus.acknowledge(group, await bus.read(group, streams, count=100, again=False))
