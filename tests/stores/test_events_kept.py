"""What outboxes and inboxes keep, for how long, and that no statement has to deal with all of it at once."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from runtime.clock import utc_now
from runtime.inbox import forget_old
from tests.polling import until
from tests.stores.events_bench import ALL_SHARDS, Bench, a_subject

WEEK = timedelta(days=7)
# More than one statement changes.
MANY = 6_000
PUBLISHED = text(
    "INSERT INTO outbox (id, type, source, subject, sequence, time, data, shard, published_at)"
    " SELECT gen_random_uuid(), 'a.b', 'payments', n::text, n, now(), '{}', n % 4, now()"
    " FROM generate_series(1, :many) n"
)
HANDLED = text(
    "INSERT INTO inbox (handler, event_id, handled_at)"
    " SELECT 'a.b', gen_random_uuid(), now() - interval '1 year' + n * interval '1 second'"
    " FROM generate_series(1, :many) n"
)


async def count(bench: Bench, rows: str) -> int:
    async with bench.database.begin() as connection:
        return int((await connection.execute(text(f"SELECT count(*) FROM {rows}"))).scalar_one())


async def test_all_is_told_again_step_by_step(bench: Bench) -> None:
    """While its last row cannot be had, the first ones count as unpublished already."""
    async with bench.database.begin() as connection:
        await connection.execute(PUBLISHED, {"many": MANY})
    async with bench.database.begin() as elsewhere:
        await elsewhere.execute(text("SELECT 1 FROM outbox ORDER BY position DESC LIMIT 1 FOR UPDATE"))
        telling = asyncio.create_task(bench.source.republish(ALL_SHARDS))

        async def begun() -> bool:
            return await count(bench, "outbox WHERE published_at IS NULL") > 0

        await until(begun)
    assert await telling == MANY


async def test_the_inbox_forgets_step_by_step(bench: Bench) -> None:
    async with bench.database.begin() as connection:
        await connection.execute(HANDLED, {"many": MANY})
    async with bench.database.begin() as elsewhere:
        await elsewhere.execute(text("SELECT 1 FROM inbox ORDER BY handled_at DESC LIMIT 1 FOR UPDATE"))
        forgetting = asyncio.create_task(forget_old(bench.database, utc_now()))

        async def begun() -> bool:
            return await count(bench, "inbox") < MANY

        await until(begun)
    assert await forgetting == MANY
    assert await count(bench, "inbox") == 0


async def test_the_inbox_keeps_what_an_outbox_can_tell_again(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1)
    await bench.relayed()
    await bench.heard()
    assert await forget_old(bench.database, utc_now() + WEEK) == 0


async def test_pruning_drops_what_is_old_and_was_published_and_nothing_else(bench: Bench) -> None:
    subject, long_ago = a_subject(), utc_now() - 2 * WEEK
    await bench.say(subject, 1, time=long_ago)
    await bench.say(subject, 2)
    await bench.relayed()
    await bench.say(subject, 3, time=long_ago)
    assert await bench.source.prune(utc_now() - WEEK) == 1
    assert await count(bench, f"outbox WHERE subject = '{subject}'") == 2
    assert len(await bench.source.unpublished(ALL_SHARDS, 10)) == 1


async def test_to_be_told_again_keeps_no_event_for_longer(bench: Bench) -> None:
    subject = a_subject()
    await bench.say(subject, 1, time=utc_now() - 2 * WEEK)
    await bench.relayed()
    await bench.redis.flushall()
    await bench.relayed()
    assert await bench.source.prune(utc_now() - WEEK) == 1
