"""A producer's outbox, the bus and a consumer with a store of its own: what the tests of events work with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from sqlalchemy import text

from contracts.events import Event, EventData, Facts
from runtime import outbox
from runtime.bus import Bus, open_bus
from runtime.clock import utc_now
from runtime.consumer import Consumer
from runtime.database import Database
from runtime.inbox import first_time
from runtime.parking import Parked
from runtime.postgres_outbox import PostgresOutbox, open_postgres_outbox
from runtime.postgres_parking import PostgresParking
from runtime.reactions import Heard, Reaction
from runtime.reactor import Reactor
from runtime.relay import Relay
from runtime.shards import SHARDS, shard_of
from services.payments.tables import InboxRow, OutboxRow
from tests.conftest import FreshDatabase, Servers

# Payments hears its own events, so that one database serves as both ends.
SERVICE = "payments"
TOLD = "payments.test_told"
ALL_SHARDS = frozenset(range(SHARDS))
# A machine that stalls is no reason to cut a reaction off, where one that hangs is not the question.
PATIENCE_SECONDS = 60.0


class Said(EventData):
    number: int


class SaidFacts(Facts):
    number: int


@dataclass
class Listener:
    """Notes what it hears, in the transaction in which it hears it; told to, it fails, hangs or waits."""

    database: Database
    failing: dict[str, Exception] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    attempts: list[tuple[str, int]] = field(default_factory=list)

    async def hear(self, heard: Heard[SaidFacts]) -> None:
        self.attempts.append((heard.subject, heard.facts.number))
        if heard.subject in self.hanging:
            await asyncio.Event().wait()
        if gate := self.gates.get(heard.subject):
            await gate.wait()
        async with self.database.begin() as connection:
            if not await first_time(connection, InboxRow, heard, utc_now()):
                return
            await connection.execute(
                text("INSERT INTO effects (subject, number) VALUES (:subject, :number)"),
                {"subject": heard.subject, "number": heard.facts.number},
            )
            if heard.subject in self.failing:
                raise self.failing[heard.subject]


HEARS = (Reaction("test.listen", TOLD, SaidFacts, Listener.hear),)


@dataclass
class Retries:
    """Notes what is parked, and can try it again as the workflow does."""

    reactor: Reactor[Any]
    parking: PostgresParking
    joined: list[Parked] = field(default_factory=list)
    ensured: list[Parked] = field(default_factory=list)

    async def join(self, parked: Parked) -> None:
        self.joined.append(parked)

    async def ensure(self, first: Parked) -> None:
        self.ensured.append(first)


@dataclass
class Bench:
    """Both ends of the bus, to be driven step by step."""

    url: str
    database: Database
    source: PostgresOutbox
    relay: Relay
    bus: Bus
    redis: Redis
    listener: Listener
    reactor: Reactor[Any]
    parking: PostgresParking
    retries: Retries

    @property
    def consumer(self) -> Consumer:
        return Consumer(SERVICE, self.reactor, self.bus, self.parking, self.retries)

    def hurry(self) -> None:
        """From now on a reaction has as long as it has in a worker."""
        self.reactor = Reactor(self.listener, HEARS)

    @property
    def streams(self) -> list[str]:
        return [f"events:{SERVICE}:{shard}" for shard in range(SHARDS)]

    async def say(self, subject: str, *numbers: int, **changes: Any) -> list[Event]:
        """Commit events about a subject, as a service does."""
        events = [
            Event.of(TOLD, subject=subject, sequence=number, time=utc_now(), data=Said(number=number))
            for number in numbers
        ]
        events = [event.model_copy(update=changes) for event in events]
        async with self.database.begin() as connection:
            await outbox.append(connection, OutboxRow, events)
        return events

    async def relayed(self) -> int:
        """Let the relay take to the bus what is there, as its loop does."""
        await self.source.acquire()
        if not await self.bus.is_begun(SERVICE, ALL_SHARDS):
            await self.relay.begin(ALL_SHARDS)
        return await self.relay.relay(ALL_SHARDS)

    async def heard(self, *, again: bool = False) -> int:
        """Let a consumer react to what the bus has, and tell of what it parked."""
        consumer = self.consumer
        heard = await consumer.consume_once(self.streams, again=again)
        await consumer.tell()
        return heard

    async def effects(self, subject: str) -> list[int]:
        """What the listener has noted about a subject, in the order in which it did."""
        async with self.database.begin() as connection:
            rows = await connection.execute(
                text("SELECT number FROM effects WHERE subject = :subject ORDER BY at"), {"subject": subject}
            )
        return [row.number for row in rows]


@asynccontextmanager
async def open_bench(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Bench]:
    """A bench on a database of its own and an empty bus."""
    url = await fresh_database(SERVICE)
    async with AsyncExitStack() as stack:
        database = Database(url, pool_size=10)
        stack.push_async_callback(database.dispose)
        async with database.begin() as connection:
            await connection.execute(
                text("CREATE TABLE effects (at bigserial PRIMARY KEY, subject text, number int)")
            )
        source = await stack.enter_async_context(open_postgres_outbox(url))
        bus = await stack.enter_async_context(open_bus(servers.bus_redis_url, patience=PATIENCE_SECONDS))
        redis = Redis.from_url(servers.bus_redis_url, decode_responses=True)
        stack.push_async_callback(redis.aclose)
        await redis.flushall()
        listener = Listener(database)
        reactor: Reactor[Any] = Reactor(listener, HEARS, patience=PATIENCE_SECONDS)
        parking = PostgresParking(database)
        yield Bench(
            url=url,
            database=database,
            source=source,
            relay=Relay(SERVICE, source, bus),
            bus=bus,
            redis=redis,
            listener=listener,
            reactor=reactor,
            parking=parking,
            retries=Retries(reactor, parking),
        )


def a_subject(shard: int | None = None) -> str:
    """A new one, of this shard if one is named."""
    while shard not in (None, shard_of(subject := uuid4().hex)):
        pass
    return subject


async def on_the_bus(redis: Any, subject: str) -> list[int]:
    """The sequences of a subject's events on the bus, in their order there."""
    stream = await redis.xrange(f"events:{SERVICE}:{shard_of(subject)}")
    said = [Event.model_validate_json(fields["body"]) for _, fields in stream]
    return [event.sequence for event in said if event.subject == subject]
