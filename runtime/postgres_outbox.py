"""An outbox in PostgreSQL as a relay reads it: one connection holds the shards' locks and does the work."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from contracts.errors import Unavailable
from contracts.events import Event
from runtime.bus import Outgoing
from runtime.cancellation import until_set
from runtime.clock import Clock, utc_now
from runtime.shards import SHARDS

# The first half of every advisory lock that means "I relay this shard of this database's outbox".
_RELAY_LOCK = 1_330_795_344
# However much is kept, a statement ends long before its time limit.
_CHANGED_AT_ONCE = 5_000
# A process that was stopped, or whose host is gone, is not there to close its connection: the server does.
STALLED_AFTER = timedelta(seconds=10)
_OUTAGES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)

_LOCK = "SELECT shard FROM unnest($2::int[]) AS wanted (shard) WHERE pg_try_advisory_lock($1, shard)"
# So many of each shard: much of one keeps nothing of another from being found.
_UNPUBLISHED = """
SELECT next.* FROM unnest($1::smallint[]) AS wanted (shard), LATERAL (
  SELECT position, shard, id, type, source, subject, sequence, time, data, traceparent
  FROM outbox WHERE published_at IS NULL AND outbox.shard = wanted.shard ORDER BY position LIMIT $2
) AS next
"""
_MARK = "UPDATE outbox SET published_at = $2 WHERE position = ANY($1::bigint[])"
_REPUBLISH = """
WITH next AS (
  SELECT position FROM outbox
  WHERE published_at IS NOT NULL AND shard = ANY($1::smallint[]) AND position > $2 ORDER BY position LIMIT $3
), again AS (
  UPDATE outbox SET published_at = NULL FROM next WHERE outbox.position = next.position RETURNING 1
)
SELECT (SELECT max(position) FROM next) AS reached, (SELECT count(*) FROM again) AS events
"""
# By their own time: what is told again and again would be kept for ever by when it was published last.
_PRUNE = """
DELETE FROM outbox WHERE position IN
  (SELECT position FROM outbox WHERE published_at IS NOT NULL AND time < $1 ORDER BY time LIMIT $2)
"""


class PostgresOutbox:
    """The `outbox` table of one database. With the connection end the locks, and the right to relay."""

    def __init__(self, url: str, clock: Clock = utc_now, stalled_after: timedelta = STALLED_AFTER) -> None:
        self._url = url
        self._clock = clock
        self._session = {"idle_session_timeout": str(int(stalled_after.total_seconds() * 1_000))}
        self._connection: asyncpg.Connection | None = None
        self._ours: frozenset[int] = frozenset()
        self._written = asyncio.Event()

    async def acquire(self) -> frozenset[int]:
        connection = await self._connected()
        if others := set(range(SHARDS)) - self._ours:
            locked = await self._ask(connection.fetch(_LOCK, _RELAY_LOCK, sorted(others)))
            self._ours |= {row["shard"] for row in locked}
        return self._ours

    async def unpublished(self, shards: frozenset[int], limit: int) -> Sequence[Outgoing]:
        connection = await self._connected()
        of_each = -(-limit // len(shards))
        rows = await self._ask(connection.fetch(_UNPUBLISHED, sorted(shards), of_each))
        return [_outgoing(row) for row in rows]

    async def mark_published(self, sent: Sequence[Outgoing]) -> None:
        if not sent:
            return
        connection = await self._connected()
        positions = [int(event.key) for event in sent]
        await self._ask(connection.execute(_MARK, positions, self._clock()))

    async def republish(self, shards: frozenset[int]) -> int:
        connection = await self._connected()
        ours, reached, events = sorted(shards), 0, 0
        while reached is not None:
            done = await self._ask(connection.fetchrow(_REPUBLISH, ours, reached, _CHANGED_AT_ONCE))
            reached, events = done["reached"], events + done["events"]
        return events

    async def prune(self, before: datetime) -> int:
        connection = await self._connected()
        dropped = 0
        while (now := _count(await self._ask(connection.execute(_PRUNE, before, _CHANGED_AT_ONCE)))) > 0:
            dropped += now
        return dropped

    async def wait(self, seconds: float) -> None:
        # PostgreSQL's word wakes us sooner; that it may be missed is what the time limit is for.
        await until_set(self._written, within=seconds)
        self._written.clear()

    async def backlog(self) -> int:
        connection = await self._connected()
        return int(
            await self._ask(connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"))
        )

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        self._ours = frozenset()
        if connection is not None:
            with suppress(*_OUTAGES):
                await connection.close(timeout=2)

    async def _connected(self) -> asyncpg.Connection:
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        self._ours = frozenset()
        connection = self._connection = await self._ask(
            asyncpg.connect(self._url, timeout=5, command_timeout=15, server_settings=self._session)
        )
        await self._ask(connection.add_listener("outbox", lambda *_: self._written.set()))
        return connection

    async def _ask(self, question: Any) -> Any:
        try:
            return await question
        except _OUTAGES as error:
            await self.close()
            raise Unavailable("the outbox's database cannot be reached") from error


@asynccontextmanager
async def open_postgres_outbox(url: str) -> AsyncIterator[PostgresOutbox]:
    """The outbox in this database, whose shards are free again after the block."""
    outbox = PostgresOutbox(url)
    try:
        yield outbox
    finally:
        await outbox.close()


def _outgoing(row: Any) -> Outgoing:
    event = Event(
        id=row["id"],
        type=row["type"],
        source=row["source"],
        subject=row["subject"],
        sequence=row["sequence"],
        time=row["time"],
        data=json.loads(row["data"]),
        traceparent=row["traceparent"],
    )
    return Outgoing(
        key=str(row["position"]),
        shard=row["shard"],
        type=event.type,
        subject=event.subject,
        body=event.model_dump_json(),
    )


def _count(status: str) -> int:
    """The number at the end of what PostgreSQL says it did, such as `UPDATE 3`."""
    return int(status.rpartition(" ")[2])
