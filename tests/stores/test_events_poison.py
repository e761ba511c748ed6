"""What cannot be reacted to: it waits, whatever it is, and nobody else waits for it."""

import asyncio
from dataclasses import dataclass, field
from secrets import token_hex

import pytest

from contracts.errors import Unavailable
from runtime.consumer import AT_ONCE
from runtime.parking import LONGEST_BODY, Parked
from runtime.reactor import REACTION_SECONDS
from runtime.sweeper import SWEPT_AT_ONCE, Sweeper
from tests.stores.events_bench import TOLD, Bench, Retries, a_subject
from tests.stores.parkings import parked
from workers.process import end_all

UNREADABLE = "this version cannot read the event"


async def test_nobody_waits_until_somebody_was_told_of_what_is_parked(bench: Bench) -> None:
    poisoned, sibling = a_subject(), a_subject()
    bench.listener.failing[poisoned] = RuntimeError("no")
    bench.retries = frozen = _Frozen(bench.reactor, bench.parking)
    consumer = bench.consumer
    sweeping = asyncio.create_task(consumer.sweep())
    try:
        await bench.say(poisoned, 1, 2, 3)
        await bench.say(sibling, 1)
        await bench.relayed()
        await consumer.consume_once(bench.streams, again=False)
        await frozen.asked.wait()
        await bench.say(sibling, 2)
        await bench.relayed()
        await consumer.consume_once(bench.streams, again=False)
        assert await bench.effects(sibling) == [1, 2], "while nobody answers"
        assert frozen.joined == []
    finally:
        await end_all([sweeping])


async def test_however_many_hang_together_those_behind_wait_about_as_long_as_for_one(bench: Bench) -> None:
    hanging, sibling = [a_subject() for _ in range(5 * AT_ONCE)], a_subject()
    bench.hurry()
    bench.listener.hanging.update(hanging)
    for subject in hanging:
        await bench.say(subject, 1)
    await bench.say(sibling, 1)
    await bench.relayed()
    await bench.heard()
    # Whether it got through in what was left of the patience is the machine's affair: its turn has come.
    assert (sibling, 1) in bench.listener.attempts
    cut_off_after = [
        float(one.reason.removeprefix("not done within ").removesuffix(" s"))
        for one in bench.retries.joined
        if one.subject in hanging
    ]
    assert len(cut_off_after) == len(hanging)
    assert sum(cut_off_after) / AT_ONCE < 2 * REACTION_SECONDS


async def test_the_patience_that_one_batch_lost_the_next_one_has(bench: Bench) -> None:
    hanging, late = [a_subject() for _ in range(2 * AT_ONCE)], a_subject()
    bench.hurry()
    bench.listener.hanging.update([*hanging, late])
    for subject in hanging:
        await bench.say(subject, 1)
    await bench.relayed()
    await bench.heard()
    await bench.say(late, 1)
    await bench.relayed()
    await bench.heard()
    [reason] = [one.reason for one in bench.retries.joined if one.subject == late]
    assert reason == f"not done within {REACTION_SECONDS} s"


@pytest.mark.parametrize(
    ("subject", "body", "reason"),
    [
        pytest.param("odd", "not json", UNREADABLE, id="no JSON"),
        pytest.param("odd", '{"id": "1"}', UNREADABLE, id="no envelope"),
        pytest.param("odd\x00", "\x00\x01", UNREADABLE, id="NUL"),
        pytest.param("odd", '{"id": "a\\u0000b"}', UNREADABLE, id="NUL in the id"),
        pytest.param("odd", '{"id": "\\ud800"}', UNREADABLE, id="half a character"),
        pytest.param(b"\xff\xfe", b'{"id": "\xff"}', UNREADABLE, id="no text"),
        pytest.param("", "", UNREADABLE, id="nothing"),
        pytest.param("odd", "[" * 100_000, UNREADABLE, id="without an end"),
        pytest.param("odd", f'{{"id": "{token_hex(10_000)}"}}', UNREADABLE, id="a long id"),
        pytest.param("é" + token_hex(10_000), "{}", UNREADABLE, id="a long subject"),
        pytest.param("odd", "x" * (LONGEST_BODY + 1), "of its 2000001 characters", id="a long body"),
    ],
)
async def test_whatever_stands_in_a_stream_waits_and_stops_nobody(
    bench: Bench, subject: str | bytes, body: str | bytes, reason: str
) -> None:
    sibling = a_subject()
    await bench.relayed()
    for _ in range(2):
        await bench.redis.xadd(bench.streams[0], {"type": TOLD, "subject": subject, "body": body})
    await bench.say(sibling, 1)
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(sibling) == [1]
    first, behind = bench.retries.joined
    assert first.reason.startswith(reason)
    assert behind.reason.endswith("an earlier event of this subject waits")
    assert await bench.parking.first(first.handler, first.subject) == first


async def test_long_subjects_do_not_wait_for_one_another(bench: Bench) -> None:
    begin = "x" * 20_000
    bench.listener.failing[begin + "a"] = RuntimeError("no")
    await bench.say(begin + "a", 1)
    await bench.say(begin + "b", 1)
    await bench.relayed()
    await bench.heard()
    await bench.say(begin + "b", 2)
    await bench.relayed()
    await bench.heard()
    assert await bench.effects(begin + "b") == [1, 2]
    assert await bench.effects(begin + "a") == []


async def test_an_event_whose_time_has_no_zone_waits_before_its_effect(bench: Bench) -> None:
    subject = a_subject()
    [said] = await bench.say(a_subject(), 1)
    naive = said.model_copy(update={"subject": subject, "time": said.time.replace(tzinfo=None)})
    await bench.relayed()
    await bench.redis.xadd(
        bench.streams[0], {"type": TOLD, "subject": subject, "body": naive.model_dump_json()}
    )
    await bench.heard()
    [waiting] = bench.retries.joined
    assert waiting.reason.startswith(f"{UNREADABLE}: time")
    assert await bench.effects(subject) == []


async def test_the_sweep_reaches_every_line(bench: Bench) -> None:
    lines = [parked(f"subject {number:04}", 1) for number in range(2 * SWEPT_AT_ONCE + 50)]
    for each in lines:
        await bench.parking.add(each)
    sweeper = Sweeper(bench.parking, bench.retries)
    for _ in range(3):
        await sweeper.sweep()
    assert {one.subject for one in bench.retries.ensured} == {one.subject for one in lines}


async def test_a_line_that_nobody_can_be_told_of_keeps_no_other_from_its_turn(bench: Bench) -> None:
    lines = [parked(f"subject {number:04}", 1) for number in range(60)]
    for each in lines:
        await bench.parking.add(each)
    refusing = _Refusing(bench.reactor, bench.parking)
    sweeper = Sweeper(bench.parking, refusing)
    with pytest.raises(Unavailable):
        await sweeper.sweep()
    with pytest.raises(Unavailable):
        await sweeper.sweep()
    assert {one.subject for one in refusing.ensured} == {one.subject for one in lines[1:]}


@dataclass
class _Frozen(Retries):
    """Nobody answers."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def join(self, parked: Parked) -> None:
        self.asked.set()
        await asyncio.Event().wait()


class _Refusing(Retries):
    """Will not hear of the very first line."""

    async def ensure(self, first: Parked) -> None:
        if first.subject == "subject 0000":
            raise Unavailable("never")
        await super().ensure(first)
