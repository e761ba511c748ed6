"""micromart events tail, against a real bus."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Servers
from tests.micromart import MicroMart
from tests.ports import free_port
from tests.stores.events_bench import TOLD, Bench, a_subject

WITHIN = 30.0


@pytest.fixture
def micromart(servers: Servers, tmp_path: Path) -> MicroMart:
    return MicroMart({"bus_redis_url": servers.bus_redis_url}, tmp_path / "nowhere")


async def ended(micromart: MicroMart, *options: str) -> list[Any]:
    """What is on the bus now, as the command tells it to machines."""
    answer = await micromart.run("events", "tail", "--no-follow", "--json", *options)
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


def numbers(events: list[Any]) -> list[int]:
    return [event["data"]["number"] for event in events]


async def test_it_shows_the_last_events_of_all_streams_in_their_order(
    bench: Bench, micromart: MicroMart
) -> None:
    for number in range(5):
        await bench.say(a_subject(), number)
        await bench.relayed()
    assert numbers(await ended(micromart)) == [0, 1, 2, 3, 4]
    assert numbers(await ended(micromart, "--last", "2")) == [3, 4]


async def test_it_shows_an_event_as_it_was_sent(bench: Bench, micromart: MicroMart) -> None:
    [said] = await bench.say(a_subject(), 1)
    await bench.relayed()
    assert await ended(micromart) == [said.model_dump(mode="json")]


async def test_it_finds_the_last_events_about_a_subject_behind_many_others(
    bench: Bench, micromart: MicroMart
) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    for _ in range(20):
        await bench.say(a_subject(), 0)
    await bench.relayed()
    assert numbers(await ended(micromart, "--subject", subject)) == [1, 2]


@pytest.mark.parametrize(("wanted", "shown"), [(TOLD, 1), ("payments.*", 1), ("order.*", 0)])
async def test_it_shows_only_the_types_that_are_asked_for(
    bench: Bench, micromart: MicroMart, wanted: str, shown: int
) -> None:
    await bench.say(a_subject(), 1)
    await bench.relayed()
    assert len(await ended(micromart, "--type", wanted)) == shown


async def test_what_nobody_can_read_is_shown_all_the_same(bench: Bench, micromart: MicroMart) -> None:
    await bench.redis.xadd(bench.streams[0], {"type": TOLD, "subject": "odd", "body": "{"})
    assert await ended(micromart) == [{"type": TOLD, "subject": "odd", "unreadable": "{"}]
    answer = await micromart.run("events", "tail", "--no-follow")
    assert "unreadable: {" in answer.out


async def test_it_follows_streams_that_are_not_there_yet_until_it_is_interrupted(
    bench: Bench, micromart: MicroMart
) -> None:
    subject = a_subject()
    async with micromart.running("events", "tail", "--subject", subject) as process:
        assert process.stdout is not None
        for number in (1, 2):
            await bench.say(subject, number)
            await bench.relayed()
            line = (await asyncio.wait_for(process.stdout.readline(), WITHIN)).decode()
            assert TOLD in line
            assert f"{subject} #{number} number={number}" in line
        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), WITHIN)
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_without_a_bus_it_ends_with_one_clear_line(micromart: MicroMart) -> None:
    away = MicroMart({"bus_redis_url": f"redis://127.0.0.1:{free_port()}"}, micromart.nowhere)
    answer = await away.run("events", "tail")
    assert (answer.code, answer.out, answer.err) == (1, "", "micromart: the bus cannot be reached\n")
