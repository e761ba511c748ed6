"""The consumer: each event once in effect, in order per subject, a failing one in nobody else's way."""

import asyncio
import json
from collections.abc import Collection

import pytest
from prometheus_client import REGISTRY

from contracts.errors import Unavailable
from runtime.parking import Parked, Place
from tests.polling import until
from tests.stores.events_bench import SERVICE, TOLD, Bench, a_subject
from workers.process import end_all


async def test_what_is_heard_has_its_effect_once(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.heard()
    await bench.bus.forget(SERVICE)
    await bench.relayed()
    assert await bench.heard() == 2
    assert await bench.effects(subject) == [1, 2]


async def test_what_a_dead_consumer_had_not_acknowledged_comes_again(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.bus.read(SERVICE, bench.streams, count=10, again=False)
    assert await bench.heard() == 0, "it was delivered to the one that died"
    assert await bench.heard(again=True) == 2
    assert await bench.effects(subject) == [1, 2]


async def test_a_consumer_that_dies_between_effect_and_acknowledgement_doubles_nothing(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1)
    await bench.relayed()
    [delivery] = await bench.bus.read(SERVICE, bench.streams, count=10, again=False)
    await bench.reactor.react("test.listen", delivery.type, delivery.body)
    await bench.heard(again=True)
    assert await bench.effects(subject) == [1]
    assert len(bench.listener.attempts) == 2


async def test_a_failing_subject_is_parked_and_its_siblings_go_on(bench: Bench) -> None:
    poisoned, sibling = a_subject(), a_subject()
    bench.listener.failing[poisoned] = RuntimeError("no")
    await bench.say(poisoned, 1)
    await bench.say(sibling, 1)
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(sibling) == [1]
    assert await bench.effects(poisoned) == []
    first = await bench.parking.first("test.listen", poisoned)
    assert first is not None
    assert first.reason == "RuntimeError: no"
    assert await bench.heard(again=True) == 0, "what is parked is acknowledged"


async def test_a_reaction_that_hangs_is_cut_off(bench: Bench) -> None:
    subject = a_subject()
    bench.hurry()
    bench.listener.hanging.add(subject)
    await bench.say(subject, 1)
    await bench.relayed()
    await bench.heard()
    [parked] = bench.retries.joined
    assert (parked.subject, parked.reason) == (subject, "not done within 0.8 s")
    assert await bench.heard(again=True) == 0, "what is parked is acknowledged"


async def test_while_a_reaction_hangs_its_siblings_go_on(bench: Bench) -> None:
    hanging, sibling = a_subject(shard=0), a_subject(shard=1)
    bench.listener.hanging.add(hanging)
    await bench.say(hanging, 1)
    await bench.say(sibling, 1)
    await bench.relayed()
    consuming = asyncio.create_task(bench.consumer.run())

    async def sibling_goes_on() -> bool:
        return await bench.effects(sibling) == [1]

    try:
        await until(sibling_goes_on)
        assert not consuming.done()
        assert (hanging, 1) in bench.listener.attempts
    finally:
        await end_all([consuming])


async def test_later_events_of_a_parked_subject_wait_behind_the_first(bench: Bench) -> None:
    subject = a_subject()
    bench.listener.failing[subject] = RuntimeError("no")
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.heard()
    del bench.listener.failing[subject]
    await bench.say(subject, 3)
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(subject) == [], "the third must not overtake the first"
    await _retried(bench, subject)
    assert await bench.effects(subject) == [1, 2, 3]
    assert [parked.event_type for parked in bench.retries.joined] == [TOLD] * 3
    await bench.say(subject, 4)
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(subject) == [1, 2, 3, 4]


async def test_an_event_without_the_facts_that_are_used_is_parked_and_one_with_more_is_heard(
    bench: Bench,
) -> None:
    short, long = a_subject(), a_subject()
    await bench.say(short, 1, data={"count": 1})
    await bench.say(long, 1, data={"number": 1, "new_field": "x"})
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(long) == [1]
    [parked] = bench.retries.joined
    assert (parked.subject, "number" in parked.reason) == (short, True)


async def test_an_unknown_type_is_ignored_and_counted(bench: Bench) -> None:
    ignored = ignored_so_far()
    await bench.say(a_subject(), 1, type="payments.never_heard_of")
    await bench.relayed()
    assert await bench.heard() == 1
    assert bench.retries.joined == []
    assert await bench.heard(again=True) == 0
    assert ignored_so_far() == ignored + 1


async def test_what_can_be_neither_handled_nor_parked_is_delivered_again(bench: Bench) -> None:
    subject = a_subject()
    bench.listener.failing[subject] = RuntimeError("no")
    await bench.say(subject, 1)
    await bench.relayed()
    consumer = bench.consumer
    consumer._parking = _Away(bench.parking)  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await consumer.consume_once(bench.streams, again=False)
    del bench.listener.failing[subject]
    assert await bench.heard(again=True) == 1
    assert await bench.effects(subject) == [1]


async def test_a_wiped_bus_has_its_effects_once(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.bus.read(SERVICE, bench.streams, count=1, again=False)
    await bench.redis.flushall()
    assert await bench.heard() == 0
    await bench.say(subject, 3)
    await bench.relayed()
    await bench.relayed()
    while await bench.heard():
        pass
    assert await bench.effects(subject) == [1, 2, 3]


def ignored_so_far() -> float:
    labels = {"service": SERVICE, "handler": "", "outcome": "ignored"}
    return REGISTRY.get_sample_value("micromart_events_heard_total", labels) or 0


async def _retried(bench: Bench, subject: str) -> None:
    """Try what is parked again, as the workflow's activity does."""
    while (first := await bench.parking.first("test.listen", subject)) is not None:
        await bench.reactor.react(first.handler, first.event_type, first.body)
        await bench.parking.remove(first)


class _Away:
    """A parking whose store is away."""

    def __init__(self, real: object) -> None:
        self._real = real

    async def among(self, _: Collection[Place]) -> Collection[Place]:
        return ()

    async def add(self, parked: Parked) -> None:
        raise Unavailable(json.dumps(parked.reason))
