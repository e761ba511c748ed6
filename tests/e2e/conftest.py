"""One platform for all tests of it; what breaks something in it mends it again."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.audit import audit
from tests.e2e.shop import Shop, open_shop
from tests.platform_process import Platform, running


@pytest.fixture(scope="session")
def platform(server_folder: Path) -> Iterator[Platform]:
    """The whole platform, shared by the session; a test that breaks something mends it again."""
    with running(Platform(server_folder / "platform")) as platform:
        yield platform


@pytest.fixture(scope="session")
async def shop(platform: Platform) -> AsyncIterator[Shop]:
    """The shop of the session's platform; at the end money, stock and orders are audited."""
    async with open_shop(platform.environment) as shop:
        yield shop
        platform.wait_ready()
        await audit(shop)
