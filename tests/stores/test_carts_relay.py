"""Carts' outbox as a relay uses it: nothing is lost, whoever dies; what was not relayed is kept."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.carts import CART_CHANGED
from contracts.errors import Unavailable
from contracts.events import Event
from runtime.bus import Bus, Outgoing, open_bus, stream_of
from runtime.clock import utc_now
from runtime.relay import BATCH, Relay
from runtime.shards import SHARDS, shard_of
from services.carts import keys
from services.carts.connection import connect
from services.carts.outbox import CartsOutbox
from services.carts.store import CartStore
from tests.conftest import Servers
from tests.polling import until
from tests.ports import free_port
from tests.stores.carts_shop import PATIENCE_SECONDS, Shop, open_shop
from tests.stores.events_bench import a_subject
from tests.stores.limits_valkey import Valkey

ALL = frozenset(range(SHARDS))


@pytest.fixture
async def shop(servers: Servers) -> AsyncIterator[Shop]:
    """Carts whose outbox is empty and was never relayed."""
    async with open_shop(servers.carts_redis_url) as shop:
        await shop.redis.delete(keys.OUTBOX, keys.RELAYED, keys.RELAY_LEASE)
        yield shop


@pytest.fixture
async def outbox(shop: Shop) -> CartsOutbox:
    return await next_outbox(shop)


async def next_outbox(shop: Shop) -> CartsOutbox:
    """The outbox as the next relay has it, which took over from any other."""
    await shop.redis.delete(keys.RELAY_LEASE)
    outbox = CartsOutbox(shop.redis, lease=timedelta(minutes=1))
    assert await outbox.acquire() == ALL
    return outbox


async def make_events(shop: Shop, count: int) -> None:
    for number in range(count):
        await shop.guest_cart({f"SKU-{number}": 1})


async def tell_of(shop: Shop, subject: str, count: int) -> None:
    """So many events about one subject, as the scripts of a change write them."""
    event = Event(
        type=CART_CHANGED, source="carts", subject=subject, sequence=1, time=utc_now(), data={}
    ).model_dump_json()
    async with shop.redis.pipeline(transaction=False) as pipeline:
        for _ in range(count):
            pipeline.xadd(keys.OUTBOX, {keys.EVENT_FIELD: event})
        await pipeline.execute()


async def relayed_by(outbox: CartsOutbox, limit: int = 100) -> list[Outgoing]:
    """What one round of a relay takes out."""
    sent = list(await outbox.unpublished(ALL, limit))
    await outbox.mark_published(sent)
    return sent


async def test_what_is_written_is_handed_out_in_order_with_its_envelope(
    shop: Shop, outbox: CartsOutbox
) -> None:
    guest = await shop.guest_cart({"MUG": 1, "POT": 2})
    found = await outbox.unpublished(ALL, 10)
    events = await shop.events(guest.name)
    assert [Event.model_validate_json(event.body) for event in found] == events
    assert [(each.type, each.subject, each.shard) for each in found] == [
        (event.type, event.subject, shard_of(event.subject)) for event in events
    ]


async def test_what_was_marked_is_not_handed_out_again(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 7)
    taken = [len(await relayed_by(outbox, limit=3)) for _ in range(4)]
    assert (taken, await outbox.backlog()) == ([3, 3, 1, 0], 0)


async def test_a_relay_that_died_before_marking_is_repeated_by_the_next(
    shop: Shop, outbox: CartsOutbox
) -> None:
    await make_events(shop, 3)
    sent = await outbox.unpublished(ALL, 10)
    assert await relayed_by(await next_outbox(shop)) == sent


async def test_a_shard_that_is_full_waits_and_the_others_do_not(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 40)
    found = await outbox.unpublished(ALL, 100)
    refused = [event for event in found if event.shard == found[0].shard]
    await outbox.mark_published([event for event in found if event not in refused])
    assert await outbox.backlog() == len(refused)
    assert await relayed_by(outbox) == refused
    assert await relayed_by(outbox) == []


async def test_a_full_stream_holds_up_no_other(shop: Shop, outbox: CartsOutbox, servers: Servers) -> None:
    stuck, other = a_subject(shard=0), a_subject(shard=1)
    await tell_of(shop, stuck, 2 * BATCH)
    await tell_of(shop, other, 1)
    async with connect(servers.bus_redis_url, patience=PATIENCE_SECONDS) as redis:
        await redis.flushall()
        small = Bus(redis, max_length=3, trimmed_above=0)
        relay = Relay("carts", outbox, small)
        await relay.begin(ALL)
        await relay.relay(ALL)
        assert [await small.length(stream_of("carts", shard)) for shard in (0, 1)] == [3, 1]
    assert await outbox.backlog() == 2 * BATCH - 3


async def test_of_a_shard_only_what_was_sent_is_marked(shop: Shop, outbox: CartsOutbox) -> None:
    guest = await shop.guest_cart({f"SKU-{number}": 1 for number in range(5)})
    found = await outbox.unpublished(ALL, 10)
    await outbox.mark_published(found[:2])
    assert [event.key for event in await relayed_by(outbox)] == [event.key for event in found[2:]]
    assert len(await shop.events(guest.name)) == 5


async def test_a_slower_relay_takes_no_mark_back(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 6)
    sent = await outbox.unpublished(ALL, 2)
    after = await next_outbox(shop)
    assert len(await relayed_by(after)) == 6
    await outbox.mark_published(sent)
    assert await after.backlog() == 0


async def test_a_relay_that_was_stopped_and_goes_on_skips_nothing_that_is_told_again(
    shop: Shop, outbox: CartsOutbox
) -> None:
    await make_events(shop, 6)
    assert len(await relayed_by(outbox, limit=4)) == 4
    sent = await outbox.unpublished(ALL, 10)
    after = await next_outbox(shop)
    assert await after.republish(ALL) == 6
    await outbox.mark_published(sent)
    assert len(await relayed_by(after)) == 6


async def test_after_the_bus_was_wiped_all_that_is_kept_is_told_again(
    shop: Shop, outbox: CartsOutbox
) -> None:
    await make_events(shop, 20)
    sent = await relayed_by(outbox)
    shard = frozenset({sent[0].shard})
    of_shard = [event for event in sent if event.shard in shard]
    assert await outbox.republish(shard) == len(of_shard)
    assert await relayed_by(outbox) == of_shard
    assert await outbox.republish(ALL) == len(sent)
    assert await relayed_by(outbox) == sent


async def test_a_bus_that_is_found_wiped_in_the_middle_of_a_round_is_told_all_again(
    shop: Shop, outbox: CartsOutbox, servers: Servers
) -> None:
    subjects = [a_subject(shard=shard) for shard in range(SHARDS)]
    async with open_bus(servers.bus_redis_url, patience=PATIENCE_SECONDS) as bus:
        relay = Relay("carts", outbox, bus)
        await relay.begin(ALL)
        for told in (1, 2):
            await bus.forget("carts")
            for subject in subjects:
                await tell_of(shop, subject, 1)
            # In the first round it is noticed, in the second one all is told.
            await relay.relay(ALL)
            assert await relay.relay(ALL) == told * SHARDS


async def test_only_what_was_relayed_is_pruned(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 4)
    future = utc_now() + timedelta(days=1)
    assert await outbox.prune(future) == 0
    sent = await relayed_by(outbox)
    await make_events(shop, 2)
    await outbox.prune(future)
    assert await outbox.backlog() == 2
    assert [event for event in await relayed_by(outbox) if event in sent] == []


async def test_what_is_young_is_kept_for_a_rebuild(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 4)
    await relayed_by(outbox)
    assert await outbox.prune(utc_now() - timedelta(days=7)) == 0
    assert await outbox.republish(ALL) == 4


async def test_to_be_told_again_keeps_no_event_for_longer(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 3)
    await relayed_by(outbox)
    written = utc_now()
    await outbox.republish(ALL)
    await relayed_by(outbox)
    # The last one stays: it marks how far all is relayed.
    assert await outbox.prune(written + timedelta(milliseconds=1)) == 2


async def test_more_than_a_page_is_read_and_counted(shop: Shop, outbox: CartsOutbox) -> None:
    await tell_of(shop, a_subject(), 1201)
    assert await outbox.backlog() == 1201
    assert [len(await relayed_by(outbox, limit=700)) for _ in range(3)] == [700, 501, 0]


async def test_one_relay_is_active_and_the_next_takes_over_at_once(shop: Shop, outbox: CartsOutbox) -> None:
    other = CartsOutbox(shop.redis)
    assert [await outbox.acquire(), await other.acquire(), await outbox.acquire()] == [ALL, frozenset(), ALL]
    await outbox.close()
    assert [await other.acquire(), await outbox.acquire()] == [ALL, frozenset()]


async def test_the_lease_of_a_relay_that_died_runs_out(shop: Shop) -> None:
    dead = CartsOutbox(shop.redis, lease=timedelta(milliseconds=50))
    other = CartsOutbox(shop.redis)
    assert await dead.acquire() == ALL

    async def taken_over() -> bool:
        return await other.acquire() == ALL

    await until(taken_over)
    assert await dead.acquire() == frozenset()


async def test_waiting_ends_when_something_is_written(shop: Shop, outbox: CartsOutbox) -> None:
    await make_events(shop, 1)
    await relayed_by(outbox)
    waiting = asyncio.create_task(_something_new(outbox))
    await make_events(shop, 1)
    assert len(await waiting) == 1


async def _something_new(outbox: CartsOutbox) -> list[Outgoing]:
    async with asyncio.timeout(20):
        while not (found := list(await outbox.unpublished(ALL, 10))):
            await outbox.wait(1.0)
    return found


async def test_a_store_that_is_down_is_an_outage() -> None:
    async with connect(f"redis://127.0.0.1:{free_port()}/0") as redis:
        outbox = CartsOutbox(redis)
        for asking in (outbox.acquire(), outbox.unpublished(ALL, 1), outbox.wait(0.1), outbox.backlog()):
            with pytest.raises(Unavailable):
                await asking
        await outbox.close()


async def test_a_store_that_cannot_write_to_its_disk_is_an_outage(server_folder: Path) -> None:
    folder = server_folder / "carts-full-disk"
    server = Valkey(folder)
    await server.start()
    try:
        async with connect(server.url) as redis:
            # What it would write its file over cannot be written over.
            (folder / "dump.rdb").mkdir()
            await redis.config_set("save", "3600 1")
            await redis.bgsave()

            async def cannot_save() -> bool:
                persistence: Any = await redis.info("persistence")
                return bool(persistence["rdb_last_bgsave_status"] == "err")

            await until(cannot_save)
            for asking in (CartStore(redis).create(None), CartsOutbox(redis).acquire()):
                with pytest.raises(Unavailable):
                    await asking
    finally:
        server.kill()
