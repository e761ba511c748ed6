"""The consumer: what a service hears, in order per subject, none lost, none held up by another's failure."""

import asyncio
import time
from collections.abc import Collection, Iterable
from typing import Protocol
from uuid import uuid4

from pydantic import BaseModel, ValidationError

from contracts.errors import Unavailable
from contracts.topology import SERVICES
from runtime.bus import Bus, Delivery, stream_of
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.metrics import EVENTS_HEARD
from runtime.parking import Parked, Parking
from runtime.reactor import ReactionFailed, Reactor

log = get_logger(__name__)

BATCH = 100
AT_ONCE = 8
LEASE_EVERY_SECONDS = 1.0
SWEEP_SECONDS = 5.0
PAUSE_SECONDS = 0.5
SWEPT_AT_ONCE = 200


class Retries(Protocol):
    """Whoever sees to it that what is parked is tried again until it gets through."""

    async def join(self, parked: Parked) -> None:
        """One more event waits for this handler and subject; Unavailable when nobody could be told."""

    async def ensure(self, first: Parked) -> None:
        """This one waits in front of its line; safe to repeat."""


class Consumer:
    """Reads a service's share of the bus and lets its reactor react.

    What fails is parked in the service's own store and acknowledged; what cannot even be parked is not, and
    comes again. Several processes may run it: each shard has one that is active.
    """

    def __init__(
        self,
        service: str,
        reactor: Reactor[object],
        bus: Bus,
        parking: Parking,
        retries: Retries,
        clock: Clock = utc_now,
    ) -> None:
        self._service = service
        self._sources = next(one.hears for one in SERVICES if one.name == service)
        self._reactor = reactor
        self._bus = bus
        self._parking = parking
        self._retries = retries
        self._clock = clock
        self._name = uuid4().hex
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Consume for as long as the worker lives; an outage only delays it."""
        try:
            while True:
                try:
                    await self._consume()
                except Unavailable as error:
                    log.warning("hearing is delayed", reason=str(error))
                    await asyncio.sleep(PAUSE_SECONDS)
        finally:
            await self._leave()

    async def sweep(self) -> None:
        """See to it that everything parked is being retried, whoever died before saying so."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                for handler, subject in list(await self._parking.subjects())[:SWEPT_AT_ONCE]:
                    if (first := await self._parking.first(handler, subject)) is not None:
                        await self._retries.ensure(first)
            except Unavailable as error:
                log.warning("what is parked waits", reason=str(error))

    async def consume_once(self, streams: Collection[str], *, again: bool) -> int:
        """Read these streams once and react to what comes; answers how much it was."""
        deliveries = await self._bus.read(self._service, list(streams), count=BATCH, again=again)
        await self.react_to(deliveries)
        return len(deliveries)

    async def react_to(self, deliveries: Collection[Delivery]) -> None:
        """React to a batch: subjects beside each other, a subject's events one by one; then acknowledge.

        Raises Unavailable where some could neither be handled nor parked; they will be delivered again.
        """
        if not deliveries:
            return
        heard = [each for each in deliveries if self._reactor.handlers_of(each.type)]
        done = [each for each in deliveries if not self._reactor.handlers_of(each.type)]
        EVENTS_HEARD.labels(self._service, "", "ignored").inc(len(done))
        parked = set(await self._parking.subjects()) if heard else set()
        outcomes = await asyncio.gather(
            *(self._in_order(subject, parked, done) for subject in _by_subject(heard)), return_exceptions=True
        )
        await self._bus.acknowledge(self._service, done)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _consume(self) -> None:
        """Read what this process holds the lease of; what was left unacknowledged first."""
        shards: frozenset[int] = frozenset()
        leased_at = -LEASE_EVERY_SECONDS
        while True:
            if time.monotonic() - leased_at >= LEASE_EVERY_SECONDS:
                leased_at = time.monotonic()
                before, shards = shards, await self._bus.lease(self._service, self._name)
                while await self.consume_once(self._streams(shards - before), again=True):
                    pass
            if not shards:
                await asyncio.sleep(LEASE_EVERY_SECONDS)
                continue
            await self.consume_once(self._streams(shards), again=False)

    async def _in_order(
        self, deliveries: Iterable[Delivery], parked: set[tuple[str, str]], done: list[Delivery]
    ) -> None:
        async with self._slots:
            for delivery in deliveries:
                for handler in self._reactor.handlers_of(delivery.type):
                    await self._react(handler, delivery, parked)
                done.append(delivery)

    async def _react(self, handler: str, delivery: Delivery, parked: set[tuple[str, str]]) -> None:
        place = (handler, delivery.subject)
        if place in parked:
            outcome, reason = "joined", "an earlier event of this subject waits"
        else:
            try:
                await self._reactor.react(handler, delivery.type, delivery.body)
            except ReactionFailed as error:
                outcome, reason = "parked", str(error)
                parked.add(place)
            else:
                EVENTS_HEARD.labels(self._service, handler, "handled").inc()
                return
        await self._park(_waiting(handler, delivery, reason, self._clock))
        EVENTS_HEARD.labels(self._service, handler, outcome).inc()
        log.warning("event parked", handler=handler, subject=delivery.subject, outcome=outcome, reason=reason)

    async def _park(self, waiting: Parked) -> None:
        await self._parking.add(waiting)
        try:
            await self._retries.join(waiting)
        except Unavailable as error:
            # It is safe in our own store: the sweep will tell Temporal when that is back.
            log.warning("the parked event waits for the sweep", handler=waiting.handler, reason=str(error))

    def _streams(self, shards: Iterable[int]) -> list[str]:
        return [stream_of(source, shard) for source in self._sources for shard in sorted(shards)]

    async def _leave(self) -> None:
        try:
            await self._bus.give_up(self._service, self._name)
        except Unavailable:
            log.info("the lease runs out by itself")


class _Identified(BaseModel):
    """All that has to be readable of an event for it to be told from others."""

    id: str


def _waiting(handler: str, delivery: Delivery, reason: str, clock: Clock) -> Parked:
    try:
        event_id = _Identified.model_validate_json(delivery.body).id
    except ValidationError:
        event_id = f"{delivery.stream}/{delivery.entry}"
    return Parked(
        handler=handler,
        subject=_text(delivery.subject),
        event_id=event_id,
        event_type=delivery.type,
        body=_text(delivery.body),
        reason=_text(reason)[:1_000],
        parked_at=clock(),
    )


def _text(value: str) -> str:
    """What any store can hold: whatever came over the bus, no store takes a NUL."""
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _by_subject(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    grouped: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        grouped.setdefault(delivery.subject, []).append(delivery)
    return list(grouped.values())
