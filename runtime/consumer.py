"""The consumer: what a service hears, in order per subject, none lost, none held up by another's failure."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable

from contracts.errors import Unavailable
from contracts.topology import SERVICES
from runtime.bus import Bus, Delivery, stream_of
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.metrics import EVENTS_HEARD
from runtime.parking import Parking, Place, parked_from, subject_of
from runtime.reactor import ReactionFailed, ReactionHung, Reactor
from runtime.shard_lease import ShardLease
from runtime.sweeper import Retries, Sweeper

log = get_logger(__name__)

BATCH = 100
AT_ONCE = 8
PAUSE_SECONDS = 0.5
LEAST_REACTION_SECONDS = 0.05


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
        self._clock = clock
        self._lease = ShardLease(service, bus)
        self._sweeper = Sweeper(parking, retries)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Consume for as long as the worker lives; an outage only delays it."""
        async with self._lease.kept():
            while True:
                try:
                    await self._consume()
                except Unavailable as error:
                    log.warning("hearing is delayed", reason=str(error))
                    self._lease.leave_unread()
                    await asyncio.sleep(PAUSE_SECONDS)

    async def sweep(self) -> None:
        """See to it, for as long as the worker lives, that everything parked is being retried."""
        await self._sweeper.run()

    async def tell(self) -> None:
        """Tell whoever retries of what was parked just now, as `sweep` does."""
        await self._sweeper.tell()

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
        parked = set(await self._parking.among(self._places(heard))) if heard else set()
        patience = _Patience(self._reactor.patience)
        outcomes = await asyncio.gather(
            *(self._in_order(subject, parked, patience, done) for subject in _by_subject(heard)),
            return_exceptions=True,
        )
        await self._bus.acknowledge(self._service, done)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _consume(self) -> None:
        """Read what this process holds the lease of; what was left unacknowledged first."""
        shards = await self._lease.shards()
        if unread := self._lease.take_unread():
            while await self._hear(unread, again=True):
                pass
        await self._hear(shards, again=False)

    async def _hear(self, shards: frozenset[int], *, again: bool) -> int:
        streams = [stream_of(source, shard) for source in self._sources for shard in sorted(shards)]
        deliveries = await self._bus.read(self._service, streams, count=BATCH, again=again)
        if not self._lease.covers(shards):
            # Another one may have read what comes before these, and have died of it.
            raise Unavailable("the lease ran out while reading")
        await self.react_to(deliveries)
        return len(deliveries)

    def _places(self, deliveries: Iterable[Delivery]) -> set[Place]:
        return {
            (handler, subject_of(delivery))
            for delivery in deliveries
            for handler in self._reactor.handlers_of(delivery.type)
        }

    async def _in_order(
        self, deliveries: Iterable[Delivery], parked: set[Place], patience: "_Patience", done: list[Delivery]
    ) -> None:
        async with self._slots:
            for delivery in deliveries:
                for handler in self._reactor.handlers_of(delivery.type):
                    await self._react(handler, delivery, parked, patience)
                done.append(delivery)

    async def _react(
        self, handler: str, delivery: Delivery, parked: set[Place], patience: "_Patience"
    ) -> None:
        place = (handler, subject_of(delivery))
        if place in parked:
            outcome, reason = "joined", "an earlier event of this subject waits"
        else:
            try:
                await self._reactor.react(handler, delivery.type, delivery.body, within=patience.of(handler))
            except ReactionFailed as error:
                outcome, reason = "parked", str(error)
                parked.add(place)
                if isinstance(error, ReactionHung):
                    patience.lose(handler)
            else:
                EVENTS_HEARD.labels(self._service, handler, "handled").inc()
                return
        waiting = parked_from(delivery, handler, reason, self._clock())
        await self._parking.add(waiting)
        # It is safe in our own store: nobody waits here for Temporal, which may be away.
        self._sweeper.wake(waiting)
        EVENTS_HEARD.labels(self._service, handler, outcome).inc()
        log.warning(
            "event parked", handler=handler, subject=waiting.subject, outcome=outcome, reason=waiting.reason
        )


class _Patience:
    """How long a batch waits for each of its reactions: with each one of a handler that hung, half as long.

    However many hang together, those behind them wait about as long as for one.
    """

    def __init__(self, whole: float) -> None:
        self._whole = whole
        self._hung: Counter[str] = Counter()

    def of(self, handler: str) -> float:
        return max(LEAST_REACTION_SECONDS, self._whole * 0.5 ** self._hung[handler])

    def lose(self, handler: str) -> None:
        self._hung[handler] += 1


def _by_subject(deliveries: Iterable[Delivery]) -> list[list[Delivery]]:
    grouped: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        grouped.setdefault(delivery.subject, []).append(delivery)
    return list(grouped.values())
