"""The relay: takes events from an outbox to the bus, in order, at least once, whoever dies meanwhile."""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from contracts.errors import Unavailable
from runtime.bus import Bus, Outgoing, Wiped, stream_of
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.metrics import EVENTS_BACKLOG, EVENTS_ON_BUS, EVENTS_PUBLISHED

log = get_logger(__name__)

BATCH = 500
KEPT = timedelta(days=7)
# What is written within this time travels together: a batch of a few costs as little as one.
LINGER_SECONDS = 0.03
ACQUIRE_SECONDS = 1.0
TIDY_SECONDS = 60.0
MEASURE_SECONDS = 15.0
RETRY_SECONDS = 0.5


class OutboxSource(Protocol):
    """A service's own outbox, whatever it stores in."""

    async def acquire(self) -> frozenset[int]:
        """The shards that this process may relay until it asks again, about a second later.

        Those that it has and those that are free; none for a stand-by.
        """

    async def unpublished(self, shards: frozenset[int], limit: int) -> Sequence[Outgoing]:
        """At most so many that were not published yet, a subject's events in their order."""

    async def mark_published(self, sent: Sequence[Outgoing]) -> None:
        """Never again, unless all is told again."""

    async def republish(self, shards: frozenset[int]) -> int:
        """Count all that is kept as unpublished; answers how much that is."""

    async def prune(self, before: datetime) -> int:
        """Drop what was published and is of before then, however often it was told; never what was not."""

    async def wait(self, seconds: float) -> None:
        """Return when there may be something new, after so many seconds at the latest."""

    async def backlog(self) -> int:
        """How many events are unpublished."""

    async def close(self) -> None: ...


class Relay:
    """Relays one service's shards; several may run, and each shard has one that is active."""

    def __init__(self, service: str, source: OutboxSource, bus: Bus, clock: Clock = utc_now) -> None:
        self._service = service
        self._source = source
        self._bus = bus
        self._clock = clock
        self._tidied = 0.0
        self._measured = -MEASURE_SECONDS

    async def run(self) -> None:
        """Relay for as long as the worker lives; an outage on either side only delays it."""
        while True:
            try:
                await self._relay_for_a_while()
            except Unavailable as error:
                log.warning("relaying is delayed", service=self._service, reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def relay(self, shards: frozenset[int]) -> int:
        """Publish what is there and finds room, batch by batch; answers how much it was."""
        published, _ = await self._drain(shards, until=math.inf)
        return published

    async def _relay_for_a_while(self) -> None:
        shards = await self._source.acquire()
        if not shards:
            self._stop_measuring()
            await asyncio.sleep(ACQUIRE_SECONDS)
            return
        await self._measure(shards)
        if not await self._bus.is_begun(self._service, shards):
            await self.begin(shards)
        until, going_on = time.monotonic() + ACQUIRE_SECONDS, shards
        while True:
            _, going_on = await self._drain(going_on, until)
            if (left := until - time.monotonic()) <= 0:
                break
            if not going_on:
                await asyncio.sleep(left)
                break
            await self._source.wait(left)
            await asyncio.sleep(LINGER_SECONDS)
        await self._tidy(shards)

    async def _drain(self, shards: frozenset[int], until: float) -> tuple[int, frozenset[int]]:
        """Publish until nothing is left, or till then; answers how much, and which shards took all of theirs.

        One that does not (its stream is full, or was wiped) has to wait, and holds up no other.
        """
        published = 0
        while shards and time.monotonic() < until:
            if not (batch := await self._source.unpublished(shards, BATCH)):
                break
            sent = await self._publish(batch)
            await self._source.mark_published(sent)
            published += len(sent)
            keys = {event.key for event in sent}
            shards -= {event.shard for event in batch if event.key not in keys}
        return published, shards

    async def _publish(self, batch: Sequence[Outgoing]) -> list[Outgoing]:
        by_shard: dict[int, list[Outgoing]] = {}
        for event in batch:
            by_shard.setdefault(event.shard, []).append(event)
        sent: list[Outgoing] = []
        for shard, events in by_shard.items():
            try:
                count = await self._published(shard, events)
            except Wiped:
                await self.begin(frozenset({shard}))
                continue
            sent += events[:count]
        EVENTS_PUBLISHED.labels(self._service).inc(len(sent))
        return sent

    async def _published(self, shard: int, events: Sequence[Outgoing]) -> int:
        """How many there was room for, once what everybody has heard made way."""
        count = await self._bus.publish(self._service, shard, events)
        if count < len(events) and await self._bus.trim(self._service, shard):
            count += await self._bus.publish(self._service, shard, events[count:])
        return count

    async def begin(self, shards: frozenset[int]) -> None:
        """The bus is new, another one, or has lost everything: all that is kept is told again."""
        again = await self._source.republish(shards)
        for shard in shards:
            await self._bus.begin(self._service, shard)
        if again:
            log.warning("the bus may lack events: telling it all again", service=self._service, events=again)

    async def _measure(self, shards: frozenset[int]) -> None:
        if time.monotonic() - self._measured < MEASURE_SECONDS:
            return
        self._measured = time.monotonic()
        # First what can be told while the bus is away.
        EVENTS_BACKLOG.labels(self._service).set(await self._source.backlog())
        lengths = {shard: await self._bus.length(stream_of(self._service, shard)) for shard in shards}
        EVENTS_ON_BUS.remove_by_labels({"service": self._service})
        for shard, length in lengths.items():
            EVENTS_ON_BUS.labels(self._service, str(shard)).set(length)

    def _stop_measuring(self) -> None:
        """A stand-by tells nothing: what it saw while it was active is not true any more."""
        self._measured = -MEASURE_SECONDS
        EVENTS_BACKLOG.remove_by_labels({"service": self._service})
        EVENTS_ON_BUS.remove_by_labels({"service": self._service})

    async def _tidy(self, shards: frozenset[int]) -> None:
        if time.monotonic() - self._tidied < TIDY_SECONDS:
            return
        for shard in shards:
            await self._bus.trim(self._service, shard)
        await self._source.prune(self._clock() - KEPT)
        self._tidied = time.monotonic()
