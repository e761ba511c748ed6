"""Relays that stop without a word: another one takes over, and what they wake up with does no harm."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from signal import SIGCONT, SIGSTOP

from tests.conftest import Servers
from tests.polling import until
from tests.stores import relay_process
from tests.stores.events_bench import SERVICE, Bench, a_subject, on_the_bus
from workers.process import end_all


@contextmanager
def another_relay(bench: Bench, bus_url: str) -> Iterator[subprocess.Popen[bytes]]:
    job = relay_process.Job(
        service=SERVICE, database_url=bench.url, bus_url=bus_url, stalled_after=timedelta(seconds=2)
    )
    process = subprocess.Popen([sys.executable, "-m", relay_process.__name__], stdin=subprocess.PIPE)
    assert process.stdin is not None
    try:
        process.stdin.write(job.model_dump_json().encode() + b"\n")
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait()


async def told(bench: Bench, subject: str, number: int) -> None:
    """Return when the bus has this one."""

    async def is_told() -> bool:
        return number in await on_the_bus(bench.redis, subject)

    await until(is_told)


async def test_a_stand_by_takes_over_from_a_relay_that_was_stopped(bench: Bench, servers: Servers) -> None:
    subject = a_subject()
    with another_relay(bench, servers.bus_redis_url) as active:
        await bench.say(subject, 1)
        await told(bench, subject, 1)
        active.send_signal(SIGSTOP)
        await bench.say(subject, 2)
        stand_by = asyncio.create_task(bench.relay.run())
        await told(bench, subject, 2)
        active.send_signal(SIGCONT)
        await bench.say(subject, 3)
        await told(bench, subject, 3)
        await end_all([stand_by])
    said = await on_the_bus(bench.redis, subject)
    # Twice is all right for those that it woke up with; their order is the one in which each came first.
    assert list(dict.fromkeys(said)) == [1, 2, 3]


async def test_a_stand_by_takes_over_from_a_relay_that_was_killed(bench: Bench, servers: Servers) -> None:
    subject = a_subject()
    with another_relay(bench, servers.bus_redis_url) as active:
        await bench.say(subject, 1)
        await told(bench, subject, 1)
        active.kill()
        await bench.say(subject, 2)
        stand_by = asyncio.create_task(bench.relay.run())
        await told(bench, subject, 2)
        await end_all([stand_by])
