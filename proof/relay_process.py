"""One process with a relay, or a relay and a consumer: it fills an outbox and measures how that empties.

It reads a Job from its standard input and writes what it measured.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import uvloop
from pydantic import BaseModel, computed_field

from proof.errors import CannotMeasure
from proof.meter import forget_highest_memory, own_highest_memory_mb, own_memory_mb
from proof.relay_ends import HEARS, SERVICE, Ends, Listener, NoRetries, open_ends
from runtime.consumer import Consumer
from runtime.postgres_parking import PostgresParking
from runtime.reactor import Reactor
from runtime.relay import Relay
from runtime.shards import SHARDS

WARM_UP = 500
ALL_SHARDS = frozenset(range(SHARDS))


class Part(StrEnum):
    """What is measured."""

    RELAY = "relay"
    BACKLOG = "backlog"


class Job(BaseModel):
    """What to do, on which core, between which servers; what these have of another job is wiped."""

    part: Part
    events: int
    core: int
    database_url: str
    bus_url: str


class Relayed(BaseModel):
    """Events from an outbox to the bus."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """What it would be if it never had to wait for a server."""
        return self.events / self.cpu_seconds


class Drained(BaseModel):
    """A backlog from an outbox over the bus to its effects, and the process's memory meanwhile."""

    events: int
    seconds: float
    cpu_seconds: float
    before_mb: float
    highest_mb: float
    after_mb: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @computed_field  # type: ignore[prop-decorator]
    @property
    def grown_mb(self) -> float:
        """How far above its begin it ever was."""
        return self.highest_mb - self.before_mb


class RelayFigures(BaseModel):
    """The median run of the relay, and the backlog whose memory grew most."""

    per_second: float
    per_cpu_second: float
    backlog: Drained
    relayed: list[Relayed]
    drained: list[Drained]


async def measure_relay(ends: Ends, events: int) -> Relayed:
    """Relay what was written before, as fast as it goes."""
    await ends.source.acquire()
    await ends.relay.begin(ALL_SHARDS)
    await ends.fill(WARM_UP)
    await ends.relay.relay(ALL_SHARDS)
    await ends.fill(events)
    began, used = time.perf_counter(), time.process_time()
    sent = await ends.relay.relay(ALL_SHARDS)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    if sent != events:
        raise CannotMeasure(f"{sent} of {events} events were relayed")
    return Relayed(events=sent, seconds=seconds, cpu_seconds=cpu_seconds)


async def measure_backlog(ends: Ends, events: int) -> Drained:
    """Let the loops of a worker drain what has piled up, after a little that has warmed them up."""
    listener = Listener(ends.database)
    reactor: Reactor[Any] = Reactor(listener, HEARS)
    consumer = Consumer(SERVICE, reactor, ends.bus, PostgresParking(ends.database), NoRetries())
    await ends.fill(WARM_UP)
    async with _running(ends.relay, consumer):
        await listener.wait_for(WARM_UP)
    await ends.fill(events)
    before = own_memory_mb()
    forget_highest_memory()
    began, used = time.perf_counter(), time.process_time()
    async with _running(ends.relay, consumer):
        await listener.wait_for(events)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    return Drained(
        events=events,
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        before_mb=before,
        highest_mb=own_highest_memory_mb(),
        after_mb=own_memory_mb(),
    )


@asynccontextmanager
async def _running(relay: Relay, consumer: Consumer) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(relay.run()), asyncio.ensure_future(consumer.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def work(job: Job) -> BaseModel:
    """Do the job."""
    async with open_ends(job.database_url, job.bus_url) as ends:
        match job.part:
            case Part.RELAY:
                return await measure_relay(ends, job.events)
            case Part.BACKLOG:
                return await measure_backlog(ends, job.events)


def main() -> None:
    job = Job.model_validate_json(sys.stdin.readline())
    os.sched_setaffinity(0, {job.core})
    print(uvloop.run(work(job)).model_dump_json(), flush=True)


if __name__ == "__main__":
    main()
