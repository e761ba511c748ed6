"""What the services say of an order, each event as it comes over the bus."""

import time
from collections.abc import AsyncIterator, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from uuid import UUID

from pydantic import ValidationError
from rich.console import Console

from cli.demo.findings import NotShown
from contracts.events import Event
from contracts.topology import SERVICES
from proof.events_document import hearing
from runtime.bus import Bus, Delivery, stream_of
from runtime.shards import SHARDS

COME_SECONDS = 15.0
_BATCH = 100


@dataclass(frozen=True)
class SeenEvent:
    """An event, which was committed at its `time`, and when it was on the bus for others to hear."""

    event: Event
    came: datetime

    def is_about(self, order_id: str) -> bool:
        return order_id in (self.event.subject, self.event.data.get("order_id"))


class EventLog:
    """Reads along on the bus, in nobody's name: what is seen here stays there for those who hear it."""

    def __init__(self, bus: Bus, console: Console) -> None:
        self._bus = bus
        self._console = console
        self._places: dict[str, str] = {}
        self._seen: list[SeenEvent] = []

    async def begin(self) -> None:
        """From here on everything is read, however late one looks."""
        for stream in (stream_of(service.name, shard) for service in SERVICES for shard in range(SHARDS)):
            last = await self._bus.latest(stream, 1)
            self._places[stream] = last[-1].entry if last else "0-0"

    async def follow(self, order_id: str, *, since: str, until: Collection[str]) -> list[SeenEvent]:
        """Tell each event about an order as it comes, its times counted from the first one's commit."""
        self._line("committed", "on the bus", " ", "event", "heard by", "dim")
        told: list[SeenEvent] = []
        async for seen in self.about(order_id, since=since, until=until):
            told.append(seen)
            committed, came = (_after(told[0], at) for at in (seen.event.time, seen.came))
            self._line(committed, came, "·", seen.event.type, ", ".join(hearers_of(seen.event.type)))
        return told

    async def about(self, order_id: str, *, since: str, until: Collection[str]) -> AsyncIterator[SeenEvent]:
        """An order's events from that of type `since` on, until there is one of each type in `until`.

        NotShown where one of them does not come.
        """
        deadline = time.monotonic() + COME_SECONDS
        missing = {since, *until}
        told: set[UUID] = set()
        while True:
            for seen in events_since(since, (each for each in self._seen if each.is_about(order_id))):
                if seen.event.id not in told:
                    told.add(seen.event.id)
                    missing.discard(seen.event.type)
                    yield seen
            if not missing:
                return
            if time.monotonic() > deadline:
                raise NotShown(f"the events of order {order_id} come; missing {', '.join(sorted(missing))}")
            await self._read()

    async def _read(self) -> None:
        """Take in what is new, for which the bus lets us wait a second."""
        for delivery in await self._bus.newest(list(self._places), self._places, _BATCH):
            self._places[delivery.stream] = delivery.entry
            if (seen := _seen(delivery)) is not None:
                self._seen.append(seen)

    def _line(self, committed: str, came: str, mark: str, what: str, note: str, style: str = "") -> None:
        shown = f"  {committed:>9}  {came:>10}  {mark} {what:<29} {note}".rstrip()
        self._console.print(shown, style=style, markup=False)


def events_since(first_type: str, seen: Iterable[SeenEvent]) -> list[SeenEvent]:
    """The first event of this type and what was committed since, in the order in which it came; else nothing.

    Each service relays its own: what follows from an event may be on the bus before it.
    """
    came = sorted(seen, key=lambda each: each.came)
    first = next((each for each in came if each.event.type == first_type), None)
    if first is None:
        return []
    later = [each for each in came if each is not first and each.event.time >= first.event.time]
    return [first, *later]


@cache
def hearers_of(event_type: str) -> tuple[str, ...]:
    """The services that react to this type of event."""
    return tuple(
        service
        for service, reactions in hearing().items()
        if any(reaction.event_type == event_type for reaction in reactions)
    )


def _seen(delivery: Delivery) -> SeenEvent | None:
    """None for what cannot be read, which is the business of those who hear it."""
    try:
        event = Event.model_validate_json(delivery.body)
    except ValidationError:
        return None
    milliseconds = int(delivery.entry.partition("-")[0])
    return SeenEvent(event, datetime.fromtimestamp(milliseconds / 1_000, UTC))


def _after(origin: SeenEvent, moment: datetime) -> str:
    return f"+{round((moment - origin.event.time).total_seconds() * 1_000)} ms"
