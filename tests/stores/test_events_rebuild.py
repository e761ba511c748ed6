"""micromart events rebuild, against a real bus and real outboxes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.conftest import Servers
from tests.micromart import MicroMart
from tests.ports import free_port
from tests.stores.events_bench import ALL_SHARDS, SERVICE, Bench, a_subject
from workers.process import end_all

REBUILD = ("events", "rebuild", "--yes", "--service", SERVICE)


@pytest.fixture
def micromart(bench: Bench, servers: Servers, tmp_path: Path) -> MicroMart:
    settings = {"bus_redis_url": servers.bus_redis_url, f"{SERVICE}_database_url": bench.url}
    return MicroMart(settings, tmp_path / "nowhere")


@asynccontextmanager
async def relaying(bench: Bench) -> AsyncIterator[None]:
    """The relay at work, as it is in a worker."""
    loop = asyncio.create_task(bench.relay.run())
    try:
        yield
    finally:
        await end_all([loop])


async def test_it_waits_until_everything_is_told_again(bench: Bench, micromart: MicroMart) -> None:
    subject = a_subject()
    await bench.say(subject, *range(1_200))
    await bench.relayed()
    async with relaying(bench):
        answer = await micromart.run(*REBUILD, "--json")
    [telling] = answer.document["services"]
    assert answer.code == 0, answer.err
    assert answer.document["complete"] is True
    assert (telling["service"], telling["told"], telling["left"]) == (SERVICE, True, 0)
    assert telling["on_bus"] == 2_400


async def test_it_fills_a_bus_that_was_wiped_and_effects_stay_single(
    bench: Bench, micromart: MicroMart
) -> None:
    subject = a_subject()
    await bench.say(subject, 1, 2)
    await bench.relayed()
    await bench.heard()
    await bench.redis.flushall()
    async with relaying(bench):
        for _ in range(2):
            answer = await micromart.run(*REBUILD)
            assert answer.code == 0, answer.err
    assert await bench.heard() >= 4
    assert await bench.effects(subject) == [1, 2]


async def test_without_a_relay_it_says_so_and_the_next_one_tells_all(
    bench: Bench, micromart: MicroMart
) -> None:
    await bench.say(a_subject(), 1, 2)
    await bench.relayed()
    answer = await micromart.run(*REBUILD, "--patience", "1")
    assert answer.code == 1
    assert answer.err.startswith(f"micromart: no relay of {SERVICE} has begun: is its worker")
    assert await bench.relayed() == 2


async def test_an_outbox_that_does_not_answer_leaves_everything_as_it_is(
    bench: Bench, micromart: MicroMart
) -> None:
    await bench.relayed()
    nowhere = f"postgresql://nobody@127.0.0.1:{free_port()}/inventory"
    settings = {**micromart.settings, "inventory_database_url": nowhere}
    answer = await MicroMart(settings, micromart.nowhere).run(*REBUILD, "--service", "inventory")
    assert answer.code == 1
    assert answer.err == "micromart: inventory: the outbox's database cannot be reached\n"
    assert await bench.bus.is_begun(SERVICE, ALL_SHARDS)


async def test_it_asks_first(bench: Bench, micromart: MicroMart) -> None:
    await bench.relayed()
    answer = await micromart.run("events", "rebuild", "--service", SERVICE, typed="n\n")
    assert answer.code == 1
    assert f"Tell all events of {SERVICE} again?" in answer.err
    assert await bench.bus.is_begun(SERVICE, ALL_SHARDS)


async def test_it_knows_the_outboxes_that_are_not_in_postgresql(servers: Servers, tmp_path: Path) -> None:
    settings = {
        "bus_redis_url": servers.bus_redis_url,
        "carts_redis_url": servers.carts_redis_url,
        "products_mongo_url": servers.mongo_url,
    }
    options = ("--service", "carts", "--service", "products", "--patience", "1", "--json")
    answer = await MicroMart(settings, tmp_path / "nowhere").run("events", "rebuild", "--yes", *options)
    assert answer.code == 1
    assert [one["service"] for one in answer.document["services"]] == ["products", "carts"]


async def test_a_service_that_does_not_exist_is_refused(micromart: MicroMart) -> None:
    answer = await micromart.run("events", "rebuild", "--yes", "--service", "shipping")
    assert answer.code == 1
    assert answer.err.startswith("micromart: there is no service shipping; there are auth, products")
