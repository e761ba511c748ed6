"""What every test of the gateway stands on."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.gateway.stand import Upstream, gateway_before, settings
from tests.http_server import serving


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def upstream_url(upstream: Upstream) -> AsyncIterator[str]:
    async with serving(upstream) as url:
        yield url


@pytest.fixture
async def client(upstream_url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a gateway whose every service is the upstream."""
    async with gateway_before(settings(upstream_url)) as client:
        yield client
