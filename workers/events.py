"""The half of every worker that deals in events: relay what we say, react to what others say."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.worker import Worker

from activities.reactions import ReactionActivities
from contracts.reactions import Joined, WaitingReaction
from contracts.topology import reactions_queue
from runtime.bus import Bus, open_bus
from runtime.consumer import Consumer
from runtime.parking import Parked, Parking
from runtime.reactions import Reactions
from runtime.reactor import Reactor
from runtime.relay import OutboxSource, Relay
from runtime.settings import Settings
from runtime.temporal import worker_for
from workflows.reaction import ReactionWorkflow
from workflows.reactions import ReactionRetries

Loop = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Hearing:
    """What a service hears: its reactions, whom they are called on, and where failed ones wait."""

    target: object
    reactions: Reactions
    parking: Parking


@dataclass(frozen=True)
class EventParts:
    """What a worker process runs for its events."""

    workers: tuple[Worker, ...]
    loops: tuple[Loop, ...]


@asynccontextmanager
async def open_events(
    service: str, settings: Settings, client: Client, outbox: OutboxSource, hearing: Hearing | None = None
) -> AsyncIterator[EventParts]:
    """Everything that keeps a service's events moving, both ways."""
    async with open_bus(settings.secret("bus_redis_url")) as bus:
        relay = Relay(service, outbox, bus)
        if hearing is None:
            yield EventParts((), (relay.run,))
            return
        reactor = Reactor(hearing.target, hearing.reactions)
        consumer = _consumer(service, reactor, bus, hearing.parking, client)
        retrying = ReactionActivities(reactor, hearing.parking)
        worker = worker_for(
            client,
            reactions_queue(service),
            activities=[retrying.retry, retrying.skip],
            workflows=[ReactionWorkflow],
            remote_activities=True,
            pollers=2,
        )
        yield EventParts((worker,), (relay.run, consumer.run, consumer.sweep))


def _consumer(service: str, reactor: Reactor[object], bus: Bus, parking: Parking, client: Client) -> Consumer:
    return Consumer(service, reactor, bus, parking, _Retries(service, ReactionRetries(client)))


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
