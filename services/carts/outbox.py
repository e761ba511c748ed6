"""Carts' outbox as a relay reads it: a stream beside the carts, and for each shard how far it was relayed."""

import json
from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from contracts.errors import Unavailable
from runtime.bus import Outgoing, entry_order
from runtime.shards import SHARDS, shard_of
from services.carts import keys
from services.carts.connection import SOCKET_SECONDS, reaching

# How long a relay that died stands in the way of the next one; one that lives renews it every second.
LEASE = timedelta(seconds=5)
_PAGE = 500
_START = "0-0"

_ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_GIVE_UP = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"
_LATER = """
local function is_later(entry, other)
  local ms, number = entry:match('(%d+)-(%d+)')
  local other_ms, other_number = other:match('(%d+)-(%d+)')
  if ms ~= other_ms then return tonumber(ms) > tonumber(other_ms) end
  return tonumber(number) > tonumber(other_number)
end
"""
# Only by the lease's holder: one that was stopped and goes on would skip what the next one tells again.
# And only forward: what is held up in its shard takes nothing back.
_MARK = (
    _LATER
    + """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return end
for at = 2, #ARGV, 2 do
  if is_later(ARGV[at + 1], redis.call('HGET', KEYS[1], ARGV[at]) or '0-0') then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
"""
)
# In one step with reading how far every shard is: what is unpublished is never dropped.
_PRUNE = (
    _LATER
    + """
local before = ARGV[1]
for shard = 0, ARGV[2] - 1 do
  local relayed = redis.call('HGET', KEYS[2], shard) or '0-0'
  if is_later(before, relayed) then before = relayed end
end
return redis.call('XTRIM', KEYS[1], 'MINID', before)
"""
)


@dataclass(frozen=True)
class _Entry:
    """One event as it lies in the stream."""

    id: str
    type: str
    subject: str
    body: str

    @property
    def shard(self) -> int:
        return shard_of(self.subject)

    def is_after(self, entry: str) -> bool:
        return entry_order(self.id) > entry_order(entry)

    def outgoing(self) -> Outgoing:
        return Outgoing(key=self.id, shard=self.shard, type=self.type, subject=self.subject, body=self.body)


@dataclass(frozen=True)
class _Read:
    """What the relay was given last: how far the stream was read, and which of its entries were new."""

    after: str = _START
    shards: frozenset[int] = frozenset()
    entries: tuple[str, ...] = ()
    unpublished: Mapping[str, int] = field(default_factory=dict)

    @property
    def last(self) -> str:
        return self.entries[-1] if self.entries else self.after

    def without(self, shards: frozenset[int]) -> "_Read":
        """The same, as if nothing of these shards had been given."""
        return replace(self, shards=self.shards - shards)

    def relayed_up_to(self, sent: Container[str]) -> dict[int, str]:
        """How far each shard is once these were sent: before its first that was not, else to the end."""
        reached = dict.fromkeys(self.shards, self.last) if self.entries else {}
        held_up: set[int] = set()
        previous = _START
        for entry in self.entries:
            shard = self.unpublished.get(entry)
            if shard in self.shards and entry not in sent and shard not in held_up:
                held_up.add(shard)
                reached[shard] = previous
            previous = entry
        return reached


class CartsOutbox:
    """The stream of all carts' events; one process relays all its shards, as long as it holds the lease."""

    def __init__(self, redis: Redis, lease: timedelta = LEASE) -> None:
        # Its types allow for bytes and for either protocol; ours answers in text.
        self._redis: Any = redis
        self._lease_ms = int(lease.total_seconds() * 1_000)
        self._token = uuid4().hex
        self._acquire = redis.register_script(_ACQUIRE)
        self._give_up = redis.register_script(_GIVE_UP)
        self._mark = redis.register_script(_MARK)
        self._prune = redis.register_script(_PRUNE)
        self._read = _Read()

    async def acquire(self) -> frozenset[int]:
        with reaching():
            ours = await self._acquire(keys=[keys.RELAY_LEASE], args=[self._token, self._lease_ms])
        return frozenset(range(SHARDS)) if ours else frozenset()

    async def unpublished(self, shards: frozenset[int], limit: int) -> Sequence[Outgoing]:
        relayed = await self._relayed()
        after = _earliest(relayed[shard] for shard in shards)
        read: list[str] = []
        found: list[Outgoing] = []
        async for entry in self._entries(after=after):
            read.append(entry.id)
            if entry.shard in shards and entry.is_after(relayed[entry.shard]):
                found.append(entry.outgoing())
            if len(found) == limit:
                break
        self._read = _Read(after, shards, tuple(read), {event.key: event.shard for event in found})
        return found

    async def mark_published(self, sent: Sequence[Outgoing]) -> None:
        reached = self._read.relayed_up_to({event.key for event in sent})
        if not reached:
            return
        with reaching():
            await self._mark(
                keys=[keys.RELAYED, keys.RELAY_LEASE],
                args=[self._token, *(part for shard, entry in reached.items() for part in (shard, entry))],
            )

    async def republish(self, shards: frozenset[int]) -> int:
        # Of what was handed out before nothing is marked any more: that would skip what comes before it.
        self._read = self._read.without(shards)
        with reaching():
            await self._redis.hdel(keys.RELAYED, *shards)
        return await self._waiting(shards)

    async def prune(self, before: datetime) -> int:
        oldest = f"{int(before.timestamp() * 1_000)}-0"
        with reaching():
            return int(await self._prune(keys=[keys.OUTBOX, keys.RELAYED], args=[oldest, SHARDS]))

    async def wait(self, seconds: float) -> None:
        milliseconds = int(min(seconds, SOCKET_SECONDS / 2) * 1_000)
        with reaching():
            # Zero would mean for ever.
            await self._redis.xread({keys.OUTBOX: self._read.last}, count=1, block=max(1, milliseconds))

    async def backlog(self) -> int:
        return await self._waiting(frozenset(range(SHARDS)))

    async def close(self) -> None:
        """Let another one take over at once; safe to repeat."""
        # Else the lease runs out by itself.
        with suppress(Unavailable), reaching():
            await self._give_up(keys=[keys.RELAY_LEASE], args=[self._token])

    async def _relayed(self) -> Mapping[int, str]:
        with reaching():
            known = await self._redis.hgetall(keys.RELAYED)
        return {shard: known.get(str(shard), _START) for shard in range(SHARDS)}

    async def _waiting(self, shards: frozenset[int]) -> int:
        """How much of these shards is unpublished."""
        relayed = await self._relayed()
        count = 0
        async for entry in self._entries(after=_earliest(relayed[shard] for shard in shards)):
            count += entry.shard in shards and entry.is_after(relayed[entry.shard])
        return count

    async def _entries(self, *, after: str) -> AsyncIterator[_Entry]:
        """The stream's entries from there on, a page at a time."""
        while True:
            with reaching():
                page = await self._redis.xrange(keys.OUTBOX, min=f"({after}", count=_PAGE)
            for entry, fields in page:
                event = json.loads(fields[keys.EVENT_FIELD])
                yield _Entry(entry, event["type"], event["subject"], fields[keys.EVENT_FIELD])
            if len(page) < _PAGE:
                return
            after = page[-1][0]


def _earliest(entries: Iterable[str]) -> str:
    return min(entries, key=entry_order)
