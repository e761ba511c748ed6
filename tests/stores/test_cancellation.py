"""Whoever is cancelled while a server is asked ends, whatever step its client has come to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from runtime.bus import open_bus
from runtime.cancellation import until_set
from services.carts.connection import connect
from services.carts.outbox import CartsOutbox
from services.products.factory import open_outbox
from tests.conftest import Servers
from tests.products_samples import catalog_settings
from tests.stores.events_bench import SERVICE

# More than it takes to send a question, where a client may lose a cancellation.
STEPS = 20

Ask = Callable[[], Awaitable[object]]
Asking = Callable[[Servers], AbstractAsyncContextManager[Ask]]


@asynccontextmanager
async def asking_the_bus(servers: Servers) -> AsyncIterator[Ask]:
    async with open_bus(servers.bus_redis_url) as bus:
        yield lambda: bus.lease(SERVICE, "somebody")


@asynccontextmanager
async def asking_carts(servers: Servers) -> AsyncIterator[Ask]:
    async with connect(servers.carts_redis_url) as redis:
        yield CartsOutbox(redis).backlog


@asynccontextmanager
async def asking_products(servers: Servers) -> AsyncIterator[Ask]:
    async with open_outbox(catalog_settings(servers.mongo_url)) as outbox:
        yield outbox.backlog


each_client = pytest.mark.parametrize("asking", [asking_the_bus, asking_carts, asking_products])


@each_client
async def test_a_cancellation_is_heeded_at_every_step(servers: Servers, asking: Asking) -> None:
    async with asking(servers) as ask:
        lost = []
        for steps in range(STEPS):
            await ask()
            asked = asyncio.ensure_future(ask())
            for _ in range(steps):
                await asyncio.sleep(0)
            if asked.cancel():
                await asyncio.wait({asked})
                if not asked.cancelled():
                    lost.append(steps)
        assert lost == []


@each_client
async def test_a_cancellation_that_came_before_it_waits_is_heeded(servers: Servers, asking: Asking) -> None:
    """So an interrupt comes, at any point of what runs."""

    async def interrupted() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await ask()

    async with asking(servers) as ask:
        await ask()
        task = asyncio.create_task(interrupted())
        await asyncio.wait({task})
        assert task.cancelled()


async def test_an_event_is_waited_for_no_longer_than_allowed() -> None:
    await until_set(asyncio.Event(), within=0)


async def test_who_waits_for_an_event_that_comes_is_cancelled_all_the_same() -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(until_set(event, within=60))
    await asyncio.sleep(0)
    event.set()
    waiting.cancel()
    await asyncio.wait({waiting})
    assert waiting.cancelled()
