"""A fresh shop for every workflow test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import FreshDatabase, Servers
from tests.psp_process import Psp, running_psp
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
