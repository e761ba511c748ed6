"""What every test of the gateway stands on."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.gateway.edge_door import Brief, Edge, StrictService, edge_before
from tests.gateway.fake_temporal_ui import FakeUi
from tests.gateway.stand import Upstream, gateway_before, settings
from tests.gateway.temporal_ui_door import Door, Opened, door_before
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


@pytest.fixture(scope="module")
async def open_edge() -> AsyncIterator[Edge]:
    async with edge_before(StrictService(), Brief) as edge:
        yield edge


@pytest.fixture
def edge(open_edge: Edge) -> Edge:
    """The edge of raw connections, with a service behind it that has seen nothing yet."""
    open_edge.service.forget()
    return open_edge


@pytest.fixture
def ui() -> FakeUi:
    return FakeUi()


@pytest.fixture
async def ui_url(ui: FakeUi) -> AsyncIterator[str]:
    """The Temporal UI behind the door."""
    async with serving(ui) as url:
        yield f"{url}/temporal"


@pytest.fixture
async def opened(ui_url: str) -> AsyncIterator[Opened]:
    async with door_before(ui_url) as opened:
        yield opened


@pytest.fixture
def door(opened: Opened) -> Door:
    """The Temporal UI's door."""
    return opened[0]


@pytest.fixture
def browser(opened: Opened) -> aiohttp.ClientSession:
    """A client of the Temporal UI's door."""
    return opened[1]
