"""A fresh shop, or both ends of the bus, for every workflow test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.settings import Settings
from tests.conftest import FreshDatabase, Servers
from tests.psp_process import Psp, running_psp
from tests.stores.events_bench import Bench, open_bench
from tests.workflows.shop import Shop, open_shop


@pytest.fixture(scope="session")
async def psp(server_folder: Path) -> AsyncIterator[Psp]:
    folder = server_folder / "psp"
    folder.mkdir()
    async with running_psp(folder) as running:
        yield running


@pytest.fixture
async def shop(servers: Servers, fresh_database: FreshDatabase, psp: Psp) -> AsyncIterator[Shop]:
    async with open_shop(servers, fresh_database, psp) as opened:
        yield opened


@pytest.fixture
async def bench(servers: Servers, fresh_database: FreshDatabase) -> AsyncIterator[Bench]:
    async with open_bench(servers, fresh_database) as opened:
        yield opened


@pytest.fixture
def settings(servers: Servers) -> Settings:
    return Settings.model_validate(
        {"bus_redis_url": servers.bus_redis_url, "temporal_address": servers.temporal_address}
    )
