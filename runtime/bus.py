"""The bus: Redis Streams, one per service and shard; each hearing service is a consumer group of its own.

It may be lost at any time: what is on it stands in the outboxes too, and `Wiped` makes their relays tell it
again. So it does where another server has taken over, which may not have got all that the last one had.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from contracts.topology import hearers_of
from runtime import bus_scripts
from runtime.bus_connection import ANSWER_SECONDS, connect, reaching
from runtime.shards import SHARDS

# A stream that one group does not read grows no further for any: the outboxes keep what does not fit.
# At about 800 bytes an event, all streams of all services take 370 MiB of the bus's memory.
MAX_LENGTH = 15_000
# What every group has acknowledged stays a little, for people who look.
TRIMMED_ABOVE = 5_000
LEASE_SECONDS = 5.0
_BLOCK_SECONDS = 0.5
# One consumer of a group is active for a shard; whoever takes over goes on in its name.
_ACTIVE = "active"


class Wiped(Exception):
    """The bus does not know, or not of itself, that this shard was relayed to it: all is to be told again."""


@dataclass(frozen=True)
class Outgoing:
    """One event on its way to the bus; `key` is what its outbox marks it by, `body` the envelope as JSON."""

    key: str
    shard: int
    type: str
    subject: str
    body: str


@dataclass(frozen=True)
class Lease:
    """The shards that a holder may consume; `new` are those that nobody had, not even the holder itself."""

    held: frozenset[int]
    new: frozenset[int]


@dataclass(frozen=True)
class Delivery:
    """One event as a group gets it: again and again, until it is acknowledged."""

    stream: str
    entry: str
    type: str
    subject: str
    body: str


def stream_of(service: str, shard: int) -> str:
    return f"events:{service}:{shard}"


def entry_order(entry: str) -> tuple[int, int]:
    """What the entries of a stream are in the order of."""
    milliseconds, _, number = entry.partition("-")
    return int(milliseconds), int(number or 0)


class Bus:
    """Publishes, delivers, acknowledges; whatever is wrong with the server surfaces as Unavailable."""

    def __init__(
        self, redis: Redis, *, max_length: int = MAX_LENGTH, trimmed_above: int = TRIMMED_ABOVE
    ) -> None:
        self._max_length = max_length
        self._trimmed_above = trimmed_above
        # Its types allow for bytes and for either protocol; ours answers in text.
        self._redis: Any = redis
        self._begin = redis.register_script(bus_scripts.BEGIN)
        self._is_begun = redis.register_script(bus_scripts.IS_BEGUN)
        self._publish = redis.register_script(bus_scripts.PUBLISH)
        self._lease = redis.register_script(bus_scripts.LEASE)
        self._give_up = redis.register_script(bus_scripts.GIVE_UP)

    async def publish(self, service: str, shard: int, events: Sequence[Outgoing]) -> int:
        """Append the events of one shard, in order; answers how many there was room for.

        Raises Wiped where this shard was not begun on this very server since it started. In one atomic step,
        so that nothing new gets in before what has to be told again.
        """
        told = [part for event in events for part in (event.type, event.subject, event.body)]
        with reaching():
            sent = int(
                await self._publish(
                    keys=[stream_of(service, shard), _marker(service, shard)], args=[self._max_length, *told]
                )
            )
        if sent < 0:
            raise Wiped(stream_of(service, shard))
        return sent

    async def begin(self, service: str, shard: int) -> None:
        """Make the shard's stream with a group for everybody who hears it, from its very first event."""
        for group in hearers_of(service):
            await self._create_group(stream_of(service, shard), group)
        with reaching():
            await self._begin(keys=[_marker(service, shard)])

    async def is_begun(self, service: str, shards: Iterable[int]) -> bool:
        """Whether the bus still knows of all these shards, and is the server that they were begun on."""
        with reaching():
            return bool(await self._is_begun(keys=[_marker(service, shard) for shard in shards]))

    async def forget(self, service: str) -> None:
        """Make the service's relay tell everything again that its outbox keeps."""
        with reaching():
            await self._redis.delete(*(_marker(service, shard) for shard in range(SHARDS)))

    async def trim(self, service: str, shard: int) -> int:
        """Drop what every group has acknowledged, once the stream is long; answers how much went."""
        stream = stream_of(service, shard)
        with reaching():
            if int(await self._redis.xlen(stream)) <= self._trimmed_above:
                return 0
            safe = await self._acknowledged_up_to(stream, hearers_of(service))
            if safe is None:
                return 0
            return int(await self._redis.xtrim(stream, minid=safe, approximate=False))

    async def lease(self, service: str, holder: str) -> Lease:
        """Take the shards that are free and keep those that this holder has, for LEASE_SECONDS from now."""
        keys = [_lease_key(service, shard) for shard in range(SHARDS)]
        with reaching():
            answers = await self._lease(keys=keys, args=[holder, int(LEASE_SECONDS * 1_000)])
        return Lease(
            held=frozenset(shard for shard, answer in enumerate(answers) if answer != "taken"),
            new=frozenset(shard for shard, answer in enumerate(answers) if answer == "new"),
        )

    async def give_up(self, service: str, holder: str) -> None:
        """Let another one take over at once; safe to repeat."""
        with reaching():
            for shard in range(SHARDS):
                await self._give_up(keys=[_lease_key(service, shard)], args=[holder])

    async def read(self, group: str, streams: Sequence[str], *, count: int, again: bool) -> list[Delivery]:
        """The next events of these streams; with `again`, those that were delivered and not acknowledged."""
        if not streams:
            return []
        places = dict.fromkeys(streams, "0" if again else ">")
        block = None if again else int(_BLOCK_SECONDS * 1_000)
        try:
            with reaching():
                answer = await self._redis.xreadgroup(group, _ACTIVE, places, count=count, block=block)
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            for stream in streams:
                await self._create_group(stream, group)
            return []
        return _deliveries(answer)

    async def acknowledge(self, group: str, deliveries: Iterable[Delivery]) -> None:
        by_stream: dict[str, list[str]] = {}
        for delivery in deliveries:
            by_stream.setdefault(delivery.stream, []).append(delivery.entry)
        if not by_stream:
            return
        with reaching():
            pipeline = self._redis.pipeline(transaction=False)
            for stream, entries in by_stream.items():
                pipeline.xack(stream, group, *entries)
            await pipeline.execute()

    async def newest(self, streams: Sequence[str], after: Mapping[str, str], count: int) -> list[Delivery]:
        """What streams say after these entries, for people who look; nothing is acknowledged."""
        with reaching():
            answer = await self._redis.xread(
                {stream: after.get(stream, "$") for stream in streams}, count=count, block=1_000
            )
        return _deliveries(answer)

    async def latest(self, stream: str, count: int) -> list[Delivery]:
        """The last few events of a stream, oldest first."""
        with reaching():
            entries = await self._redis.xrevrange(stream, count=count)
        return [_delivery(stream, entry, fields) for entry, fields in reversed(entries)]

    async def length(self, stream: str) -> int:
        with reaching():
            return int(await self._redis.xlen(stream))

    async def _create_group(self, stream: str, group: str) -> None:
        try:
            with reaching():
                await self._redis.xgroup_create(stream, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _acknowledged_up_to(self, stream: str, groups: Sequence[str]) -> str | None:
        """The first entry that some group still needs; None when a group is missing, who needs all of it."""
        known = {group["name"]: group for group in await self._redis.xinfo_groups(stream)}
        if not known.keys() >= set(groups):
            return None
        needed = []
        for name in groups:
            pending = await self._redis.xpending(stream, name)
            last = known[name]["last-delivered-id"]
            needed.append(pending["min"] if pending["pending"] else last)
        if not needed:
            newest = await self._redis.xrevrange(stream, count=1)
            needed = [newest[0][0]]
        return str(min(needed, key=entry_order))


@asynccontextmanager
async def open_bus(url: str, *, patience: float = ANSWER_SECONDS) -> AsyncIterator[Bus]:
    """A bus over a client of its own, which is connected with the first call."""
    async with connect(url, patience=patience) as redis:
        yield Bus(redis)


def _marker(service: str, shard: int) -> str:
    return f"relayed:{service}:{shard}"


def _lease_key(service: str, shard: int) -> str:
    return f"lease:{service}:{shard}"


def _deliveries(answer: Any) -> list[Delivery]:
    """From what the client returns: pairs under RESP2, a mapping under RESP3."""
    if isinstance(answer, dict):
        answer = [(stream, entries[0]) for stream, entries in answer.items()]
    return [_delivery(stream, entry, fields) for stream, entries in answer or () for entry, fields in entries]


def _delivery(stream: str, entry: str, fields: Mapping[str, str] | None) -> Delivery:
    # One that somebody took out of the stream by hand has none left, and a type that nobody reacts to.
    known = fields or {}
    return Delivery(
        stream=stream,
        entry=entry,
        type=known.get("type", ""),
        subject=known.get("subject", f"{stream}/{entry}"),
        body=known.get("body", ""),
    )
