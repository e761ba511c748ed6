"""Products' outbox as a relay uses it: no event is lost to a death or to an edit, none dropped too early."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient

from contracts.errors import Unavailable
from contracts.events import Event
from contracts.products import PRICE_CHANGED, PRODUCT_CREATED, PRODUCT_UPDATED, REMOVED, ProductChanges
from runtime.bus import Outgoing
from runtime.clock import Clock, utc_now
from runtime.settings import Settings
from runtime.shards import SHARDS, shard_of
from services.products.connection import Connection
from services.products.documents import DOCUMENTS
from services.products.factory import migrate, open_outbox
from services.products.outbox import LEASE, ProductsOutbox
from services.products.service import ProductsService
from tests.conftest import Servers
from tests.polling import until
from tests.ports import free_port
from tests.products_samples import catalog_settings, document_of, new_product, open_catalog

ALL = frozenset(range(SHARDS))
WEEK = timedelta(days=7)


@pytest.fixture
def settings(servers: Servers) -> Settings:
    return catalog_settings(servers.mongo_url)


@pytest.fixture
async def products(settings: Settings) -> AsyncIterator[ProductsService]:
    async with open_catalog(settings) as opened:
        yield opened


@pytest.fixture
async def outbox(settings: Settings, products: ProductsService) -> AsyncIterator[ProductsOutbox]:
    async with open_outbox(settings) as opened:
        yield opened


@asynccontextmanager
async def another(
    settings: Settings, clock: Clock = utc_now, lease: timedelta = LEASE
) -> AsyncIterator[ProductsOutbox]:
    """A second relay's, in a process of its own as far as the database can tell."""
    database = settings.products_mongo_database
    connection = Connection(settings.secret("products_mongo_url"), database, DOCUMENTS, pool_size=2)
    try:
        yield ProductsOutbox(connection, clock, lease)
    finally:
        await connection.close()


def titled(title: str) -> ProductChanges:
    return ProductChanges(title=title)


async def relayed_by(outbox: ProductsOutbox, limit: int = 100) -> list[Outgoing]:
    """What one round of a relay takes out."""
    sent = list(await outbox.unpublished(ALL, limit))
    await outbox.mark_published(sent)
    return sent


def facts(events: list[Outgoing]) -> list[tuple[str, int]]:
    return [(event.type, Event.model_validate_json(event.body).sequence) for event in events]


async def full_of_events(
    settings: Settings, product_id: str, *, bytes_of_all: int, **changes: Any
) -> list[str]:
    """Have the product hold this much of events like its own one; answers their ids."""
    document = await document_of(settings, product_id)
    size = 100_000
    event = document["events"][0] | {"data": {"description": "x" * size}} | changes
    document["events"] = [event | {"id": str(uuid4())} for _ in range(bytes_of_all // size)]
    document["unpublished"] = event["published_at"] is None
    async with AsyncMongoClient[dict[str, Any]](settings.secret("products_mongo_url")) as client:
        products = client[settings.products_mongo_database]["products"]
        await products.replace_one({"_id": product_id}, document)
    return [event["id"] for event in document["events"]]


async def count_of(settings: Settings, product_id: str) -> int:
    async with AsyncMongoClient[dict[str, Any]](settings.secret("products_mongo_url")) as client:
        collection = client[settings.products_mongo_database]["products"]
        return await collection.count_documents({"_id": product_id})


async def test_a_products_events_are_handed_out_in_order(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    moka = await products.create(new_product("moka", price=10))
    repriced = ProductChanges.model_validate(
        {"variants": new_product("moka", price=9).model_dump()["variants"]}
    )
    await products.change("moka", repriced)
    await products.remove("moka")
    found = list(await outbox.unpublished(ALL, 10))
    assert facts(found) == [(PRODUCT_CREATED, 1), (PRICE_CHANGED, 2), (PRODUCT_UPDATED, 3), (REMOVED, 4)]
    assert {(event.subject, event.shard) for event in found} == {(moka.id, shard_of(moka.id))}
    assert all(Event.model_validate_json(event.body).data["product_id"] == moka.id for event in found)


async def test_what_was_marked_is_not_handed_out_again(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    for number in range(3):
        await products.create(new_product(f"p{number}"))
        await products.change(f"p{number}", titled("Other"))
    taken = [len(await relayed_by(outbox, limit=4)) for _ in range(3)]
    assert (taken, await outbox.backlog()) == ([4, 2, 0], 0)


async def test_marking_is_no_change_of_the_product(products: ProductsService, outbox: ProductsOutbox) -> None:
    await products.create(new_product("moka"))
    before = await products.product("moka")
    await relayed_by(outbox)
    assert await products.product("moka") == before


async def test_a_relay_that_died_before_marking_is_repeated_by_the_next(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    await products.create(new_product("moka"))
    sent = await outbox.unpublished(ALL, 10)
    async with another(settings) as next_one:
        assert await relayed_by(next_one) == sent


async def test_an_edit_between_reading_and_marking_is_told_next_and_nothing_else(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    await products.create(new_product("moka"))
    sent = await outbox.unpublished(ALL, 10)
    await products.change("moka", titled("Moka Pot"))
    await outbox.mark_published(sent)
    assert facts(await relayed_by(outbox)) == [(PRODUCT_UPDATED, 2)]
    assert (await products.product("moka")).title == "Moka Pot"


async def test_a_removal_between_reading_and_marking_stays_a_removal(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    sent = await outbox.unpublished(ALL, 10)
    await products.remove("moka")
    await outbox.mark_published(sent)
    assert facts(await relayed_by(outbox)) == [(REMOVED, 2)]
    assert "slug" not in await document_of(settings, moka.id)


async def test_edits_that_race_the_relay_lose_nothing_and_repeat_nothing(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    await products.create(new_product("moka"))
    told: list[Outgoing] = []
    editing = asyncio.gather(*(products.change("moka", titled(f"Title {number}")) for number in range(25)))
    while not editing.done():
        told += await relayed_by(outbox)
    await editing
    told += await relayed_by(outbox)
    assert [sequence for _, sequence in facts(told)] == list(range(1, 27))


async def test_after_the_bus_was_wiped_all_that_is_kept_is_told_again(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    for number in range(8):
        await products.create(new_product(f"p{number}"))
    await products.remove("p7")
    sent = await relayed_by(outbox)
    shard = frozenset({sent[0].shard})
    of_shard = {event.body for event in sent if event.shard in shard}
    assert await outbox.republish(shard) == len(of_shard)
    assert {event.body for event in await relayed_by(outbox)} == of_shard
    assert await outbox.republish(ALL) == len(sent)
    assert {event.body for event in await relayed_by(outbox)} == {event.body for event in sent}


async def test_a_relay_that_was_stopped_and_goes_on_skips_nothing_that_is_told_again(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    await products.create(new_product("told"))
    await relayed_by(outbox)
    await products.create(new_product("waiting"))
    await products.change("told", titled("Told Twice"))
    sent = await outbox.unpublished(ALL, 10)
    async with another(settings) as after:
        assert await after.republish(ALL) == 3
        await outbox.mark_published(sent)
        assert len(await relayed_by(after)) == 3


async def test_only_what_was_published_before_then_is_pruned(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    await relayed_by(outbox)
    await products.change("moka", titled("Moka Pot"))
    assert await outbox.prune(utc_now() - WEEK) == 0
    assert await outbox.prune(utc_now() + WEEK) == 1
    events = (await document_of(settings, moka.id))["events"]
    assert [(event["type"], event.get("published_at")) for event in events] == [(PRODUCT_UPDATED, None)]
    assert (await products.product("moka")).version == 2


async def test_to_be_told_again_keeps_no_event_for_longer(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    await products.create(new_product("moka"))
    await relayed_by(outbox)
    now = utc_now()
    await outbox.republish(ALL)
    await relayed_by(outbox)
    assert await outbox.prune(now) == 1


async def test_what_was_published_makes_room_for_an_edit(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    await relayed_by(outbox)
    kept = await full_of_events(settings, moka.id, bytes_of_all=16 << 20)
    await products.change("moka", ProductChanges(description="☕" * 5_000))
    events = (await document_of(settings, moka.id))["events"]
    left = [event["id"] for event in events]
    assert left[:-1] == kept[1 - len(left) :]
    assert 1 < len(left) <= len(kept) // 10
    assert facts(await relayed_by(outbox)) == [(PRODUCT_UPDATED, 2)]


async def test_what_waits_to_be_published_makes_room_for_nothing(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    await relayed_by(outbox)
    waiting = await full_of_events(settings, moka.id, bytes_of_all=9 << 20, published_at=None)
    with pytest.raises(Unavailable):
        await products.change("moka", titled("Moka Pot"))
    told = [str(Event.model_validate_json(event.body).id) for event in await relayed_by(outbox)]
    assert told == waiting
    await products.change("moka", titled("Moka Pot"))


async def test_a_removed_product_is_forgotten_with_its_last_event(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    await products.remove("moka")
    await outbox.prune(utc_now() + WEEK)
    unpublished = await count_of(settings, moka.id)
    await relayed_by(outbox)
    await outbox.prune(utc_now() + WEEK)
    assert (unpublished, await count_of(settings, moka.id)) == (1, 0)


async def test_a_product_that_is_sold_outlives_its_events(
    products: ProductsService, outbox: ProductsOutbox
) -> None:
    moka = await products.create(new_product("moka"))
    await relayed_by(outbox)
    await outbox.prune(utc_now() + WEEK)
    assert await products.product("moka") == moka
    await products.change("moka", titled("Moka Pot"))
    assert facts(await relayed_by(outbox)) == [(PRODUCT_UPDATED, 2)]


async def test_a_product_of_an_earlier_version_is_taken_up(
    products: ProductsService, outbox: ProductsOutbox, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    old = await document_of(settings, moka.id)
    for field in ("unpublished", "published_since", "rewrites"):
        old.pop(field, None)
    async with AsyncMongoClient[dict[str, Any]](settings.secret("products_mongo_url")) as client:
        await client[settings.products_mongo_database]["products"].replace_one({"_id": moka.id}, old)
    await migrate(settings)
    assert facts(await relayed_by(outbox)) == [(PRODUCT_CREATED, 1)]
    await products.change("moka", titled("Moka Pot"))
    assert facts(await relayed_by(outbox)) == [(PRODUCT_UPDATED, 2)]


async def test_one_relay_is_active_and_the_next_takes_over_at_once(
    outbox: ProductsOutbox, settings: Settings
) -> None:
    async with another(settings) as other:
        asked = [await outbox.acquire(), await other.acquire(), await outbox.acquire()]
        assert asked == [ALL, frozenset(), ALL]
        await outbox.close()
        assert [await other.acquire(), await outbox.acquire()] == [ALL, frozenset()]


async def test_of_many_that_start_at_once_one_becomes_active(
    products: ProductsService, settings: Settings
) -> None:
    async with another(settings) as one, another(settings) as two, another(settings) as three:
        asked = await asyncio.gather(one.acquire(), two.acquire(), three.acquire())
    assert sorted(asked, key=len) == [frozenset(), frozenset(), ALL]


async def test_the_lease_of_a_relay_that_died_runs_out(outbox: ProductsOutbox, settings: Settings) -> None:
    def long_ago() -> datetime:
        return utc_now() - timedelta(minutes=1)

    async with another(settings, clock=long_ago) as dead:
        assert await dead.acquire() == ALL

        async def taken_over() -> bool:
            return await outbox.acquire() == ALL

        await until(taken_over)
        async with another(settings) as late:
            assert await late.acquire() == frozenset()


async def test_a_database_that_is_down_is_an_outage() -> None:
    nobody = catalog_settings(f"mongodb://127.0.0.1:{free_port()}")
    async with open_outbox(nobody) as outbox:
        answers = await asyncio.gather(
            outbox.acquire(),
            outbox.unpublished(ALL, 1),
            outbox.republish(ALL),
            outbox.backlog(),
            return_exceptions=True,
        )
    assert [type(answer) for answer in answers] == [Unavailable] * 4
