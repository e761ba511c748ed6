"""Looking at the bus: its last events and those that come, as lines for people or for machines."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydantic import JsonValue, ValidationError
from rich.text import Text

from cli.mail import plain
from contracts.events import Event
from contracts.money import Money
from contracts.topology import SERVICES
from runtime.bus import Bus, Delivery, entry_order, stream_of
from runtime.shards import SHARDS, shard_of

# How far back events are looked for that a filter lets through, in each stream.
SEARCHED = 1_000
_READ_AT_ONCE = 100
_TYPE_WIDTH = 30
_VALUE_WIDTH = 40
_NEVER = "0-0"


@dataclass(frozen=True)
class Wanted:
    """Which events somebody wants to see; all of them without a word."""

    subject: str | None = None
    event_type: str | None = None

    @property
    def streams(self) -> list[str]:
        """Where they can be."""
        shards = range(SHARDS) if self.subject is None else [shard_of(self.subject)]
        return [stream_of(service.name, shard) for service in SERVICES for shard in shards]

    def searched(self, last: int) -> int:
        """How far back to look in each stream for the last so many."""
        return max(1, last) if self == Wanted() else SEARCHED

    def takes(self, delivery: Delivery) -> bool:
        return self.subject in (None, delivery.subject) and (
            self.event_type is None or fnmatchcase(delivery.type, self.event_type)
        )


class Tail:
    """The end of all streams together; a stream that is not there yet is followed from its beginning."""

    def __init__(self, bus: Bus, wanted: Wanted) -> None:
        self._bus = bus
        self._wanted = wanted

    async def events(self, last: int, *, follow: bool) -> AsyncIterator[Delivery]:
        """The last so many, in the order in which they came to the bus, then those that come."""
        streams, searched = self._wanted.streams, self._wanted.searched(last)
        there = [each for stream in streams for each in await self._bus.latest(stream, searched)]
        seen = dict.fromkeys(streams, _NEVER) | {each.stream: each.entry for each in there}
        before = self._chosen(there)
        for delivery in before[-last:] if last else []:
            yield delivery
        while follow:
            come = await self._bus.newest(streams, seen, _READ_AT_ONCE)
            seen |= {each.stream: each.entry for each in come}
            for delivery in self._chosen(come):
                yield delivery

    def _chosen(self, deliveries: Iterable[Delivery]) -> list[Delivery]:
        """In the order in which they came to the bus, whichever their streams."""
        return sorted(filter(self._wanted.takes, deliveries), key=lambda each: entry_order(each.entry))


def as_line(delivery: Delivery) -> str:
    """The event as it was sent, on one line; what is not even JSON stands in `unreadable`."""
    try:
        return json.dumps(json.loads(delivery.body))
    except ValueError:
        return json.dumps({"type": delivery.type, "subject": delivery.subject, "unreadable": delivery.body})


def as_text(delivery: Delivery) -> Text:
    """One line for people: time, type, subject, sequence, what is in it."""
    event = _event(delivery)
    time = f"{event.time.astimezone():%H:%M:%S.%f}"[:-3] if event is not None else "--:--:--.---"
    line = Text.assemble(
        (f"{time}  ", "dim"), (plain(delivery.type).ljust(_TYPE_WIDTH), "cyan"), plain(delivery.subject)
    )
    if event is None:
        return line.append(f"  unreadable: {_cut(delivery.body)}", "red")
    line.append(f" #{event.sequence}", "dim")
    for name, value in event.data.items():
        if value is not None and value != delivery.subject:
            line.append(f" {plain(name)}=", "dim").append(_short(value))
    return line


def _event(delivery: Delivery) -> Event | None:
    try:
        return Event.model_validate_json(delivery.body)
    except ValidationError:
        return None


def _short(value: JsonValue) -> str:
    if isinstance(value, list):
        return f"[{len(value)}]"
    if isinstance(value, Mapping):
        try:
            return str(Money.model_validate(value))
        except ValidationError:
            return f"{{{len(value)}}}"
    return _cut(value if isinstance(value, str) else json.dumps(value))


def _cut(text: str) -> str:
    shown = plain(text)
    return shown if len(shown) <= _VALUE_WIDTH else f"{shown[: _VALUE_WIDTH - 1]}…"
