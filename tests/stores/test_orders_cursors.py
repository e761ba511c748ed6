"""The list of orders over HTTP: its own cursors lead on, every other is refused."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from api.orders.app import orders_app
from api.pages import encode_cursor
from contracts.identity import IDENTITY_HEADER, Identity
from runtime.identity import IdentitySigner
from runtime.settings import Settings
from tests.conftest import FreshDatabase
from tests.http_server import serving
from tests.orders_samples import NOON, new_order
from tests.stores.orders_book import open_book

SECRET = "a secret of the tests"
ADA = Identity(subject="ada")
MOMENT = NOON.isoformat()


@pytest.fixture(scope="module")
async def ada(fresh_database: FreshDatabase) -> AsyncIterator[aiohttp.ClientSession]:
    """A customer with five orders, of which two were placed at the same moment."""
    async with open_book(fresh_database) as book:
        for minutes in (0, 1, 1, 2, 3):
            await book.placed(customer_id="ada", created_at=NOON - timedelta(minutes=minutes))
        await book.add(new_order(customer_id="bob"))
        url = book.url
    settings = Settings(
        identity_secret=SecretStr(SECRET),
        service_secret=SecretStr(SECRET),
        order_token_secret=SecretStr(SECRET),
        orders_database_url=SecretStr(url),
    )
    headers = {IDENTITY_HEADER: IdentitySigner(SECRET).sign(ADA)}
    async with serving(orders_app(settings)) as base, aiohttp.ClientSession(base, headers=headers) as session:
        yield session


async def listed(ada: aiohttp.ClientSession, **query: str | int) -> tuple[int, Any]:
    async with ada.get("/v1/orders", params=query) as response:
        return response.status, await response.json(content_type=None)


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_cursors_lead_through_the_whole_list(ada: aiohttp.ClientSession, limit: int) -> None:
    _, whole = await listed(ada, limit=100)
    _, page = await listed(ada, limit=limit)
    seen = list(page["items"])
    while page["next_cursor"] is not None:
        _, page = await listed(ada, limit=limit, cursor=page["next_cursor"])
        seen += page["items"]
    assert seen == whole["items"]
    assert (len(seen), whole["next_cursor"]) == (5, None)


@pytest.mark.parametrize(
    "cursor",
    [
        "nonsense",
        "ä",
        encode_cursor(),
        encode_cursor(MOMENT),
        encode_cursor("yesterday", "order-1"),
        encode_cursor(5, "order-1"),
        encode_cursor(MOMENT, "\x00"),
        encode_cursor(MOMENT, "\ud800"),
        encode_cursor(MOMENT, "x" * 65),
        encode_cursor("0001-01-01T00:00:00+23:59", "order-1"),
        encode_cursor("9999-12-31T23:59:59-23:59", "order-1"),
    ],
)
async def test_a_cursor_that_is_not_ours_is_refused(ada: aiohttp.ClientSession, cursor: str) -> None:
    status, problem = await listed(ada, cursor=cursor)
    assert (status, problem["code"]) == (422, "request.invalid_cursor")


@pytest.mark.parametrize("limit", [0, 101, -1, "many"])
async def test_a_page_has_one_to_a_hundred_items(ada: aiohttp.ClientSession, limit: str | int) -> None:
    status, problem = await listed(ada, limit=limit)
    assert (status, problem["code"]) == (422, "request.invalid")
