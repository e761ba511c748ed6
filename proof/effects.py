"""How soon, and whether, the events of a load have become effects: read from the databases themselves."""

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import aiohttp
import asyncpg
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from contracts.topology import SERVICES
from proof.bench_platform import BenchPlatform
from runtime.clock import utc_now
from runtime.reactions import Reactions
from workers import fulfilment, notifications, orders

# Services whose outbox or inbox is in PostgreSQL and in a checkout's way.
_SAY = ("orders", "payments", "fulfilment")
_HEAR: dict[str, Reactions] = {
    "orders": orders.HEARS,
    "fulfilment": fulfilment.HEARS,
    "notifications": notifications.HEARS,
}
# It wakes a workflow, and so has no row to leave.
_WITHOUT_ROW = frozenset({"orders.tell_checkout"})

_SAID = "SELECT id, type, time FROM outbox WHERE time >= $1"
_HEARD = "SELECT handler, event_id, handled_at FROM inbox WHERE handled_at >= $1"
_HISTOGRAM = "micromart_event_seconds_bucket"

POLL_SECONDS = 0.5
DRAIN_SECONDS = 60.0

Ended = dict[float, int]


class Effects(BaseModel):
    """What became of the events of one load.

    `milliseconds`, by handler, is from an event's making, inside the transaction that commits it, to the
    begin of the transaction of its effect: outbox joined with inbox. `ended` is how many reactions were over
    within so many seconds of it, as the workers' own histogram has counted them, whatever they store in.
    """

    milliseconds: dict[str, list[float]]
    ended: Ended
    missing: int
    drained_seconds: float

    @property
    def reactions(self) -> int:
        """How many were over, in all services."""
        return self.ended.get(math.inf, 0)

    def ended_within(self, seconds: float) -> int:
        """How many of them so soon; only at the histogram's own bounds is that known."""
        return self.ended.get(seconds, 0)

    @property
    def all_ms(self) -> list[float]:
        return [value for values in self.milliseconds.values() for value in values]


class EffectsMeter:
    """Started when a load begins and read when it has been sent."""

    def __init__(self, platform: BenchPlatform) -> None:
        self._platform = platform

    async def start(self) -> None:
        self._ended = await _ended(self._platform)
        self._since = utc_now()

    async def read(self) -> Effects:
        """Wait for a bounded time until every event since the start has had its effects, or is missing."""
        began = time.monotonic()
        while True:
            milliseconds, missing = await self._joined()
            waited = time.monotonic() - began
            if not missing or waited > DRAIN_SECONDS:
                break
            await asyncio.sleep(POLL_SECONDS)
        now = await _ended(self._platform)
        return Effects(
            milliseconds=milliseconds,
            ended={within: count - self._ended.get(within, 0) for within, count in sorted(now.items())},
            missing=missing,
            drained_seconds=round(waited, 1),
        )

    async def _joined(self) -> tuple[dict[str, list[float]], int]:
        """Inboxes first: what a reaction said in its own transaction is then among what is read next."""
        heard: dict[tuple[str, UUID], datetime] = {}
        for service in _HEAR:
            for row in await self._rows(service, _HEARD):
                heard[row["handler"], row["event_id"]] = row["handled_at"]
        handlers = _handlers_by_type()
        milliseconds: dict[str, list[float]] = defaultdict(list)
        missing = 0
        for service in _SAY:
            for row in await self._rows(service, _SAID):
                for handler in handlers.get(row["type"], ()):
                    at = heard.get((handler, row["id"]))
                    if at is None:
                        missing += 1
                    else:
                        milliseconds[handler].append(round((at - row["time"]).total_seconds() * 1000, 1))
        return dict(milliseconds), missing

    async def _rows(self, service: str, query: str) -> Iterable[asyncpg.Record]:
        connection = await asyncpg.connect(self._platform.database_url(service))
        try:
            rows: list[asyncpg.Record] = await connection.fetch(query, self._since)
            return rows
        finally:
            await connection.close()


async def forget_events(platform: BenchPlatform) -> None:
    """Empty the outboxes: a platform that starts anew has an empty bus and tells it all that they keep."""
    for service in _SAY:
        connection = await asyncpg.connect(platform.database_url(service))
        try:
            await connection.execute("TRUNCATE outbox")
        finally:
            await connection.close()


def _handlers_by_type() -> dict[str, set[str]]:
    handlers: dict[str, set[str]] = defaultdict(set)
    for reactions in _HEAR.values():
        for reaction in reactions:
            if reaction.handler not in _WITHOUT_ROW:
                handlers[reaction.event_type].add(reaction.handler)
    return handlers


async def _ended(platform: BenchPlatform) -> Ended:
    """How many reactions all workers have ended since they started, by the histogram's upper bounds."""
    ended: Ended = defaultdict(int)
    async with aiohttp.ClientSession() as session:
        for service in SERVICES:
            if not service.hears:
                continue
            async with session.get(f"{platform.url_of(service.worker)}/metrics") as response:
                text = await response.text()
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    if sample.name == _HISTOGRAM:
                        ended[float(sample.labels["le"])] += int(sample.value)
    return dict(ended)
