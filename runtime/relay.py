"""The relay: takes events from an outbox to the bus, in order, at least once, whoever dies meanwhile."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from contracts.errors import Unavailable
from runtime.bus import Bus, Outgoing, Wiped
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.metrics import EVENTS_PUBLISHED

log = get_logger(__name__)

BATCH = 500
KEPT = timedelta(days=7)
# What is written within this time travels together: a batch of a few costs as little as one.
LINGER_SECONDS = 0.03
ACQUIRE_SECONDS = 1.0
TIDY_SECONDS = 60.0
RETRY_SECONDS = 0.5


class OutboxSource(Protocol):
    """A service's own outbox, whatever it stores in."""

    async def acquire(self) -> frozenset[int]:
        """The shards that this process may relay until it asks again, about a second later.

        Those that it has and those that are free; none for a stand-by.
        """

    async def unpublished(self, shards: frozenset[int], limit: int) -> Sequence[Outgoing]:
        """What was not published yet, a subject's events in their order."""

    async def mark_published(self, sent: Sequence[Outgoing]) -> None:
        """Never again, unless all is told again."""

    async def republish(self, shards: frozenset[int]) -> int:
        """Count all that is kept as unpublished; answers how much that is."""

    async def prune(self, before: datetime) -> int:
        """Drop what was published before then, and never what was not."""

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

    async def run(self) -> None:
        """Relay for as long as the worker lives; an outage on either side only delays it."""
        while True:
            try:
                await self._relay_for_a_while()
            except Unavailable as error:
                log.warning("relaying is delayed", service=self._service, reason=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def relay(self, shards: frozenset[int]) -> int:
        """Publish what is there, batch by batch; answers how much it was."""
        published = 0
        while batch := await self._source.unpublished(shards, BATCH):
            sent = await self._publish(batch)
            await self._source.mark_published(sent)
            published += len(sent)
            if len(sent) < len(batch):
                # A full stream: its readers have to catch up first.
                await asyncio.sleep(RETRY_SECONDS)
                break
        return published

    async def _relay_for_a_while(self) -> None:
        shards = await self._source.acquire()
        if not shards:
            await asyncio.sleep(ACQUIRE_SECONDS)
            return
        if not await self._bus.is_begun(self._service, shards):
            await self.begin(shards)
        until = time.monotonic() + ACQUIRE_SECONDS
        await self.relay(shards)
        while (left := until - time.monotonic()) > 0:
            await self._source.wait(left)
            await asyncio.sleep(LINGER_SECONDS)
            await self.relay(shards)
        await self._tidy(shards)

    async def _publish(self, batch: Sequence[Outgoing]) -> list[Outgoing]:
        by_shard: dict[int, list[Outgoing]] = {}
        for event in batch:
            by_shard.setdefault(event.shard, []).append(event)
        sent: list[Outgoing] = []
        for shard, events in by_shard.items():
            try:
                count = await self._bus.publish(self._service, shard, events)
            except Wiped:
                await self.begin(frozenset({shard}))
                continue
            sent += events[:count]
        EVENTS_PUBLISHED.labels(self._service).inc(len(sent))
        return sent

    async def begin(self, shards: frozenset[int]) -> None:
        """The bus is new, or has lost everything: all that is kept is told again."""
        again = await self._source.republish(shards)
        for shard in shards:
            await self._bus.begin(self._service, shard)
        if again:
            log.warning("the bus was empty: telling it again", service=self._service, events=again)

    async def _tidy(self, shards: frozenset[int]) -> None:
        if time.monotonic() - self._tidied < TIDY_SECONDS:
            return
        for shard in shards:
            await self._bus.trim(self._service, shard)
        await self._source.prune(self._clock() - KEPT)
        self._tidied = time.monotonic()
