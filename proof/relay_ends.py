"""Both ends of a bus of one's own: an outbox with its relay, and what listens at the other end."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.orm import registry
from sqlmodel import SQLModel

from contracts.events import Event, Facts
from contracts.money import Money
from contracts.payments import PAYMENT_AUTHORIZED, PaymentChanged
from proof.errors import CannotMeasure
from runtime import outbox
from runtime.bus import Bus, open_bus
from runtime.clock import utc_now
from runtime.database import Database
from runtime.inbox import InboxColumns, first_time
from runtime.outbox import OutboxColumns
from runtime.parking import Parked
from runtime.postgres_outbox import PostgresOutbox, open_postgres_outbox
from runtime.reactions import Heard, Reaction
from runtime.relay import Relay

# Payments hears its own events, so that one database serves as both ends.
SERVICE = "payments"
# As many as an order has of a service, about.
PER_SUBJECT = 5
SUBJECTS_AT_ONCE = 100
DRAIN_SECONDS = 120.0


class _Table(SQLModel, registry=registry()):
    """The base that gives the benchmark a metadata of its own."""


class OutboxRow(OutboxColumns, _Table, table=True):
    __tablename__ = "outbox"


class InboxRow(InboxColumns, _Table, table=True):
    __tablename__ = "inbox"


class NoFacts(Facts):
    """The reaction uses none."""


@dataclass
class Listener:
    """Does what every reaction does, and nothing else: it notes the event in its own store."""

    database: Database
    awaited: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, heard: Heard[NoFacts]) -> None:
        async with self.database.begin() as connection:
            if not await first_time(connection, InboxRow, heard, utc_now()):
                return
        self.awaited -= 1
        if self.awaited == 0:
            self.done.set()

    async def wait_for(self, events: int) -> None:
        """Return when so many more have been heard; CannotMeasure when they do not come."""
        self.awaited += events
        self.done.clear()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self.done.wait()
        except TimeoutError:
            raise CannotMeasure(f"{self.awaited} of {events} events had no effect") from None


HEARS = (Reaction("bench.listen", PAYMENT_AUTHORIZED, NoFacts, Listener.hear),)


class NoRetries:
    """Nothing may fail here; what does stays parked, and is missed."""

    async def join(self, parked: Parked) -> None:
        sys.stderr.write(f"parked: {parked.reason}\n")

    async def ensure(self, first: Parked) -> None:
        """Nothing is tried again."""


@dataclass
class Ends:
    """Both ends of the bus."""

    database: Database
    source: PostgresOutbox
    bus: Bus
    relay: Relay

    async def fill(self, events: int) -> None:
        """Commit so many events, as a service does."""
        for _ in range(0, events, PER_SUBJECT * SUBJECTS_AT_ONCE):
            said = [_event(subject, at) for subject in _subjects() for at in range(PER_SUBJECT)]
            async with self.database.begin() as connection:
                await outbox.append(connection, OutboxRow, said)


@asynccontextmanager
async def open_ends(database_url: str, bus_url: str) -> AsyncIterator[Ends]:
    """Both ends, with nothing in between and nothing left of what ran here before."""
    async with AsyncExitStack() as stack:
        database = Database(database_url, pool_size=10)
        stack.push_async_callback(database.dispose)
        async with database.begin() as connection:
            await connection.execute(text("TRUNCATE outbox, inbox, parked"))
        async with Redis.from_url(bus_url) as redis:
            await redis.flushall()
        source = await stack.enter_async_context(open_postgres_outbox(database_url))
        bus = await stack.enter_async_context(open_bus(bus_url))
        yield Ends(database, source, bus, Relay(SERVICE, source, bus))


def _event(subject: str, at: int) -> Event:
    data = PaymentChanged(
        order_id=subject,
        state="authorized",
        amount=Money(amount=1_999, currency="EUR"),
        captured=0,
        refunded=0,
    )
    return Event.of(PAYMENT_AUTHORIZED, subject=subject, sequence=at, time=utc_now(), data=data)


def _subjects() -> list[str]:
    return [uuid4().hex for _ in range(SUBJECTS_AT_ONCE)]
