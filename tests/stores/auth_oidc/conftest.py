"""What every test of signing in with OpenID stands on."""

from collections.abc import AsyncIterator

import pytest

from tests.conftest import FreshDatabase
from tests.oidc_issuer import OidcMock, running_oidc_mock
from tests.stores.auth_oidc.shop import EMAIL, Browser, Shop, open_shop


@pytest.fixture(scope="package")
async def mock() -> AsyncIterator[OidcMock]:
    async with running_oidc_mock() as running:
        await running.knows("ada", email=EMAIL, email_verified=True, name="Ada")
        yield running


@pytest.fixture
async def shop(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with open_shop(mock, fresh_database) as shop:
        yield shop


@pytest.fixture(scope="module")
async def shop_for_all(mock: OidcMock, fresh_database: FreshDatabase) -> AsyncIterator[Shop]:
    async with open_shop(mock, fresh_database) as shop:
        yield shop


@pytest.fixture
async def shared_shop(shop_for_all: Shop) -> AsyncIterator[Shop]:
    """A shop for tests that leave nothing behind in it."""
    yield shop_for_all
    shop_for_all.issuer.be_honest()


@pytest.fixture
async def browser(shop: Shop) -> AsyncIterator[Browser]:
    async with shop.browser() as browser:
        yield browser
