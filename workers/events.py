"""The half of every worker that deals in events: relay what we say, react to what others say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from activities.reactions import ReactionActivities
from contracts.reactions import Joined, WaitingReaction
from contracts.topology import reactions_queue
from runtime.bus import open_bus
from runtime.clock import utc_now
from runtime.consumer import Consumer
from runtime.database import Database
from runtime.inbox import forget_old
from runtime.logs import get_logger
from runtime.parking import Parked, Parking
from runtime.postgres_outbox import open_postgres_outbox
from runtime.postgres_parking import PostgresParking
from runtime.reactions import Reactions
from runtime.reactor import REACTION_SECONDS, Reactor
from runtime.relay import OutboxSource, Relay
from runtime.settings import Settings
from runtime.temporal import worker_for
from workers.process import WorkerParts
from workers.rounds import again_and_again
from workflows.reaction import ReactionWorkflow
from workflows.reactions import ReactionRetries

log = get_logger(__name__)

PARKING_POOL = 2
FORGET_EVERY_SECONDS = 3_600.0


@dataclass(frozen=True)
class Hearing:
    """What a service hears: its reactions, whom they are called on, and where failed ones wait."""

    target: object
    reactions: Reactions
    parking: Parking
    patience: float = REACTION_SECONDS


@asynccontextmanager
async def open_events(
    service: str, settings: Settings, client: Client, outbox: OutboxSource, hearing: Hearing | None = None
) -> AsyncIterator[WorkerParts]:
    """Everything that keeps a service's events moving, both ways; nothing where events are switched off."""
    if not settings.events_enabled:
        yield WorkerParts()
        return
    async with open_bus(settings.secret("bus_redis_url")) as bus:
        relay = Relay(service, outbox, bus)
        if hearing is None:
            yield WorkerParts(loops=(relay.run,))
            return
        reactor = Reactor(hearing.target, hearing.reactions, patience=hearing.patience)
        retries = _Retries(service, ReactionRetries(client))
        consumer = Consumer(service, reactor, bus, hearing.parking, retries)
        retrying = ReactionActivities(reactor, hearing.parking)
        worker = worker_for(
            client,
            reactions_queue(service),
            activities=[retrying.retry, retrying.skip],
            workflows=[ReactionWorkflow],
            remote_activities=True,
            pollers=2,
        )
        yield WorkerParts((worker,), (relay.run, consumer.run, consumer.sweep))


@asynccontextmanager
async def open_postgres_events(
    service: str,
    settings: Settings,
    client: Client,
    *,
    target: object = None,
    reactions: Reactions = (),
) -> AsyncIterator[WorkerParts]:
    """The same for a service whose outbox, inbox and parking are in PostgreSQL."""
    if not settings.events_enabled:
        yield WorkerParts()
        return
    url = settings.database_url(service)
    async with AsyncExitStack() as stack:
        outbox = await stack.enter_async_context(open_postgres_outbox(url))
        if not reactions:
            yield await stack.enter_async_context(open_events(service, settings, client, outbox))
            return
        database = Database(url, pool_size=PARKING_POOL)
        stack.push_async_callback(database.dispose)
        hearing = Hearing(target, reactions, PostgresParking(database))
        events = await stack.enter_async_context(open_events(service, settings, client, outbox, hearing))
        yield WorkerParts(events.workers, (*events.loops, Forgetting(database).run))


class Forgetting:
    """Keeps a service's inbox from growing for ever."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> None:
        """Forget once an hour what no outbox can tell again; an outage only delays it."""
        await again_and_again("pruning the inbox", self._forget_once, FORGET_EVERY_SECONDS)

    async def _forget_once(self) -> None:
        log.info("inbox pruned", events=await forget_old(self._database, utc_now()))


class _Retries:
    """What is parked, as the workflows that retry it know it."""

    def __init__(self, service: str, retries: ReactionRetries) -> None:
        self._service = service
        self._retries = retries

    async def join(self, parked: Parked) -> None:
        await self._retries.join(self._waiting(parked), _joined(parked))

    async def ensure(self, first: Parked) -> None:
        await self._retries.ensure(self._waiting(first), _joined(first))

    def _waiting(self, parked: Parked) -> WaitingReaction:
        return WaitingReaction(service=self._service, handler=parked.handler, subject=parked.subject)


def _joined(parked: Parked) -> Joined:
    return Joined(event_type=parked.event_type, event_id=parked.event_id, reason=parked.reason)
