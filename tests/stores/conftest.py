"""What many tests of one store share: both ends of the bus, and a till at a sandbox provider."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import FreshDatabase, Servers
from tests.stores.events_bench import Bench, open_bench
from tests.stores.payments_till import Till, open_till


@pytest.fixture
async def bench(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Bench]:
    async with open_bench(servers, fresh_database) as opened:
        yield opened


@pytest.fixture(scope="module")
async def till(
    fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Till]:
    async with open_till(fresh_database, tmp_path_factory.mktemp("psp")) as till:
        yield till
