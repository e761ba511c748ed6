"""Starting a checkout when Temporal, or a worker, is away: no answer in time is no fault of anybody's."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from runtime.settings import Settings
from runtime.temporal import connect
from tests.conftest import FreshDatabase, Servers
from tests.ports import free_port
from tests.psp_process import Psp
from tests.workflows.shop import Shop, open_shop
from workflows.checkouts import Checkouts


@pytest.fixture
async def unattended(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Shop]:
    """A shop without an orders worker."""
    async with open_shop(servers, fresh_database, psp, orders_worker=False) as shop:
        yield shop


@pytest.fixture
def complaints() -> Iterator[list[dict[str, Any]]]:
    """The failures that asyncio would log because nobody has looked at them."""
    loop, heard = asyncio.get_event_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: heard.append(context) if "exception" in context else None)
    yield heard
    loop.set_exception_handler(None)


async def test_no_answer_in_time_is_not_logged_as_an_error(
    unattended: Shop, complaints: list[dict[str, Any]]
) -> None:
    checkout = await unattended.placed()
    assert await unattended.checkouts.place(checkout, wait=timedelta(milliseconds=300)) is None
    gc.collect()
    assert complaints == []


async def test_a_temporal_that_is_away_is_not_logged_as_an_error(
    unattended: Shop, complaints: list[dict[str, Any]]
) -> None:
    away = Checkouts(await connect(Settings(temporal_address=f"127.0.0.1:{free_port()}"), lazy=True))
    checkout = await unattended.placed()
    assert await away.place(checkout, wait=timedelta(milliseconds=300)) is None
    gc.collect()
    assert complaints == []
