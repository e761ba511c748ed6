"""Products' outbox as a relay reads it: the events inside the product documents.

Marking and pruning replace a document like every edit does, guarded by what was read: none of them loses what
another one wrote.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import uuid4

from pymongo import DeleteOne, ReplaceOne
from pymongo.errors import DuplicateKeyError

from contracts.errors import Unavailable
from contracts.events import Event
from runtime.bus import Outgoing
from runtime.clock import Clock, utc_now
from runtime.shards import SHARDS, shard_of
from services.products.connection import Connection, Raw
from services.products.documents import LeaseDocument, ProductDocument, events_index

# How long a relay that died stands in the way of the next one; one that lives renews it every second.
LEASE = timedelta(seconds=5)
POLL_SECONDS = 0.1
_RELAY = "relay"
_WRITTEN_AT_ONCE = 100

# What becomes of an event: itself where nothing does, None where it goes.
Change = Callable[[Raw], Raw | None]
Write = ReplaceOne[Raw] | DeleteOne


class ProductsOutbox:
    """The events of all products; one process relays all shards, as long as it holds the lease."""

    def __init__(self, connection: Connection, clock: Clock = utc_now, lease: timedelta = LEASE) -> None:
        self._connection = connection
        self._products = connection.collection(ProductDocument)
        self._leases = connection.collection(LeaseDocument)
        self._clock = clock
        self._lease = lease
        self._holder = uuid4().hex

    async def acquire(self) -> frozenset[int]:
        now = self._clock()
        free = {"_id": _RELAY, "$or": [{"holder": self._holder}, {"expires": {"$lt": _moment(now)}}]}
        lease = {"$set": {"holder": self._holder, "expires": _moment(now + self._lease)}}
        async with self._connection.reaching():
            try:
                await self._leases.update_one(free, lease, upsert=True)
            except DuplicateKeyError:
                # Somebody else's stands in the way of being inserted.
                return frozenset()
        return frozenset(range(SHARDS))

    async def unpublished(self, shards: frozenset[int], limit: int) -> Sequence[Outgoing]:
        found: list[Outgoing] = []
        waiting = self._products.find({"unpublished": True}, {"events": 1})
        async with self._connection.reaching(), waiting:
            async for raw in waiting:
                shard = shard_of(raw["_id"])
                if shard not in shards:
                    continue
                found += [_outgoing(event, shard) for event in raw["events"] if not _is_published(event)]
                if len(found) >= limit:
                    break
        return found[:limit]

    async def mark_published(self, sent: Sequence[Outgoing]) -> None:
        events = {event.key for event in sent}
        now = self._clock()

        def marked(event: Raw) -> Raw:
            if _key(event) not in events or _is_published(event):
                return event
            return event | {"published_at": now}

        await self._rewrite({event.subject for event in sent}, marked)

    async def republish(self, shards: frozenset[int]) -> int:
        # Else a relay that was stopped and goes on would mark what it told of the last time.
        telling = uuid4().hex

        def untold(event: Raw) -> Raw:
            if event.get("telling") == telling:
                return event
            return event | {"published_at": None, "telling": telling}

        subjects = {
            *await self._subjects({"published_since": {"$gt": 0}}),
            *await self._subjects({"unpublished": True}),
        }
        return await self._rewrite([each for each in subjects if shard_of(each) in shards], untold)

    async def prune(self, before: datetime) -> int:
        def kept(event: Raw) -> Raw | None:
            return None if _is_published(event) and event["time"] < before else event

        return await self._rewrite(await self._subjects({"published_since": {"$lt": _moment(before)}}), kept)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, POLL_SECONDS))

    async def backlog(self) -> int:
        unpublished: list[Raw] = [
            {"$match": {"unpublished": True}},
            {"$unwind": "$events"},
            {"$match": {"events.published_at": None}},
            {"$count": "events"},
        ]
        async with self._connection.reaching(), await self._products.aggregate(unpublished) as counted:
            return sum([int(raw["events"]) async for raw in counted])

    async def adopt(self) -> int:
        """Take up the products of an earlier version, which published nothing; safe to repeat."""
        async with self._connection.reaching():
            adopted = await self._products.update_many({"unpublished": None}, {"$set": {"unpublished": True}})
        return adopted.matched_count

    async def close(self) -> None:
        """Let another one take over at once; safe to repeat."""
        # Else the lease runs out by itself.
        with suppress(Unavailable):
            async with self._connection.reaching():
                await self._leases.delete_one({"_id": _RELAY, "holder": self._holder})

    async def _subjects(self, wanted: Raw) -> list[str]:
        async with self._connection.reaching(), self._products.find(wanted, {"_id": 1}) as found:
            return [raw["_id"] async for raw in found]

    async def _rewrite(self, subjects: Collection[str], change: Change) -> int:
        """Change these products' events, again where an edit was faster; answers how many it changed."""
        changed: set[str] = set()
        left = list(subjects)
        while left:
            batch, left = left[:_WRITTEN_AT_ONCE], left[_WRITTEN_AT_ONCE:]
            while writes := await self._rewritten(batch, change, changed):
                async with self._connection.reaching():
                    await self._products.bulk_write(writes, ordered=False)
        return len(changed)

    async def _rewritten(self, subjects: list[str], change: Change, changed: set[str]) -> list[Write]:
        """What it takes to change the events of those products that do not have them so already."""
        writes: list[Write] = []
        async with self._connection.reaching(), self._products.find({"_id": {"$in": subjects}}) as found:
            async for raw in found:
                after = [(event["id"], event, change(event)) for event in raw["events"]]
                touched = {event_id for event_id, event, now in after if now is not event}
                if touched:
                    changed |= touched
                    writes.append(_write(raw, [now for _, _, now in after if now is not None]))
        return writes


def _write(raw: Raw, events: list[Raw]) -> Write:
    """The document with these events, unless somebody else was faster; a tombstone without any may go."""
    as_read = {"_id": raw["_id"], "version": raw["version"], "rewrites": raw.get("rewrites")}
    if not events and "deleted_at" in raw:
        return DeleteOne(as_read)
    index = events_index((event["time"], event.get("published_at")) for event in events)
    return ReplaceOne(as_read, raw | index | {"events": events, "rewrites": raw.get("rewrites", 0) + 1})


def _outgoing(event: Raw, shard: int) -> Outgoing:
    told = Event.model_validate(event)
    return Outgoing(
        key=_key(event), shard=shard, type=told.type, subject=told.subject, body=told.model_dump_json()
    )


def _key(event: Raw) -> str:
    """One telling of an event: another one's is not marked with it."""
    return f"{event['id']} {event.get('telling')}"


def _is_published(event: Raw) -> bool:
    return event.get("published_at") is not None


def _moment(time: datetime) -> int:
    return int(time.timestamp() * 1_000)
