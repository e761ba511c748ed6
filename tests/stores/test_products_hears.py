"""What products makes of what it hears of the stock: the newest word counts, and no edit loses it."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from contracts.inventory import STOCK_CHANGED
from contracts.products import ProductChanges
from runtime.clock import utc_now
from runtime.reactions import Heard
from services.products.heard import StockFacts
from services.products.service import ProductsService
from tests.conftest import Servers
from tests.ports import free_port
from tests.products_samples import catalog_settings, new_product, open_catalog


@pytest.fixture
async def products(servers: Servers) -> AsyncIterator[ProductsService]:
    """A catalog whose inventory nobody serves."""
    nobody = f"http://127.0.0.1:{free_port()}"
    async with open_catalog(catalog_settings(servers.mongo_url, inventory_url=nobody)) as opened:
        yield opened


async def hear(products: ProductsService, sku: str, available: int, sequence: int) -> None:
    facts = StockFacts(sku=sku, available=available)
    handler = "products.follow_stock"
    await products.follow_stock(Heard(handler, uuid4(), STOCK_CHANGED, sku, sequence, utc_now(), None, facts))


async def available(products: ProductsService) -> dict[str, int | None]:
    [moka] = await products.in_stock([await products.product("moka")])
    return {variant.sku: variant.available for variant in moka.variants}


async def test_what_was_heard_twice_or_late_is_dropped(products: ProductsService) -> None:
    await products.create(new_product("moka", prices={"M3": 1, "M6": 2}))
    for units, sequence in ((5, 2), (9, 1), (5, 2), (4, 3), (5, 2)):
        await hear(products, "M3", units, sequence)
    assert await available(products) == {"M3": 4, "M6": None}


async def test_a_product_that_is_made_later_knows_its_stock(products: ProductsService) -> None:
    await hear(products, "M3", 7, 1)
    await products.create(new_product("moka", prices={"M3": 1}))
    assert await available(products) == {"M3": 7}


async def test_stock_is_no_version_of_the_product_and_an_edit_keeps_it(products: ProductsService) -> None:
    created = await products.create(new_product("moka", prices={"M3": 1}))
    await hear(products, "M3", 7, 1)
    assert await products.product("moka") == created
    await products.change("moka", ProductChanges(title="Moka Pot"))
    assert await available(products) == {"M3": 7}
