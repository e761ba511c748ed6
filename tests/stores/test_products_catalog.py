"""The catalog's writes on a real server: what is unique, what events are kept, what concurrent edits do."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.errors import Unavailable
from contracts.products import (
    PRICE_CHANGED,
    PRODUCT_CREATED,
    PRODUCT_UPDATED,
    REMOVED,
    NewCategory,
    ProductChanges,
)
from runtime.settings import Settings
from services.products.errors import CategoryTaken, ProductNotFound, SkuTaken, SlugTaken, UnknownCategory
from services.products.factory import migrate, open_products
from services.products.service import ProductsService
from tests.conftest import Servers
from tests.ports import free_port
from tests.products_samples import catalog_settings, document_of, new_product, open_catalog


@pytest.fixture
def settings(servers: Servers) -> Settings:
    return catalog_settings(servers.mongo_url)


@pytest.fixture
async def products(settings: Settings) -> AsyncIterator[ProductsService]:
    async with open_catalog(settings) as opened:
        yield opened


def _changes(**fields: object) -> ProductChanges:
    return ProductChanges.model_validate(fields)


def _priced(**prices: int) -> ProductChanges:
    return _changes(variants=new_product("any", prices=prices).model_dump()["variants"])


async def _events_of(settings: Settings, product_id: str) -> list[tuple[str, int]]:
    document = await document_of(settings, product_id)
    return [(event["type"], event["sequence"]) for event in document["events"]]


async def test_a_product_is_read_as_it_was_created(products: ProductsService) -> None:
    created = await products.create(new_product("moka", images=["/images/moka.jpg"]))
    assert await products.product(created.id) == created
    assert await products.product("moka") == created


async def test_a_slug_may_look_like_a_date(products: ProductsService) -> None:
    created = await products.create(new_product("2026-11-22"))
    assert await products.product("2026-11-22") == created
    assert await products.change("2026-11-22", _changes(title="Diary"))


async def test_what_does_not_exist_is_not_found(products: ProductsService) -> None:
    for reference in ("moka", "prd_0", "$ne", "a\x00"):
        with pytest.raises(ProductNotFound):
            await products.product(reference)


async def test_a_slug_is_taken_once(products: ProductsService) -> None:
    await products.create(new_product("moka"))
    with pytest.raises(SlugTaken):
        await products.create(new_product("moka", prices={"OTHER": 1}))


async def test_a_sku_is_taken_once_among_all_products(products: ProductsService) -> None:
    await products.create(new_product("moka", prices={"M3": 1, "M6": 2}))
    with pytest.raises(SkuTaken, match="M6"):
        await products.create(new_product("kettle", prices={"K1": 1, "M6": 2}))


async def test_of_many_that_want_one_sku_at_once_one_gets_it(products: ProductsService) -> None:
    wanting = [products.create(new_product(f"p{n}", prices={f"OWN{n}": 1, "M6": 2})) for n in range(10)]
    answers = await asyncio.gather(*wanting, return_exceptions=True)
    assert [type(answer) for answer in answers].count(SkuTaken) == 9


async def test_a_change_takes_no_sku_or_slug_of_another(products: ProductsService) -> None:
    await products.create(new_product("moka", prices={"M3": 1}))
    kettle = await products.create(new_product("kettle", prices={"K1": 1}))
    with pytest.raises(SkuTaken):
        await products.change("kettle", _priced(K1=1, M3=1))
    with pytest.raises(SlugTaken):
        await products.change("kettle", _changes(slug="moka"))
    assert await products.product("kettle") == kettle


async def test_an_unknown_category_is_refused(products: ProductsService) -> None:
    with pytest.raises(UnknownCategory):
        await products.create(new_product("moka", category="nowhere"))
    await products.create(new_product("moka"))
    with pytest.raises(UnknownCategory):
        await products.change("moka", _changes(category="nowhere"))


async def test_a_category_exists_once_and_they_are_listed_in_pages(products: ProductsService) -> None:
    with pytest.raises(CategoryTaken):
        await products.create_category(NewCategory(slug="desk", title="Again"))
    assert [category.slug for category in await products.categories(1)] == ["desk"]
    assert [category.slug for category in await products.categories(10, "desk")] == ["kitchen"]


async def test_a_change_stands_in_the_document_beside_its_events(
    products: ProductsService, settings: Settings
) -> None:
    created = await products.create(new_product("moka", prices={"M3": 10, "M6": 20}))
    await products.change("moka", _priced(M3=9, M9=30))
    document = await document_of(settings, created.id)
    assert [(event["type"], event["sequence"]) for event in document["events"]] == [
        (PRODUCT_CREATED, 1),
        (PRICE_CHANGED, 2),
        (REMOVED, 3),
        (PRODUCT_UPDATED, 4),
    ]
    assert (document["version"], document["skus"], document["min_price"]) == (4, ["M3", "M9"], 9)
    assert document["events"][1]["data"]["new_price"] == {"amount": 9, "currency": "EUR"}


async def test_a_change_that_changes_nothing_leaves_no_event(
    products: ProductsService, settings: Settings
) -> None:
    created = await products.create(new_product("moka"))
    assert await products.change("moka", _changes(title=created.title)) == created
    assert await _events_of(settings, created.id) == [(PRODUCT_CREATED, 1)]


async def test_concurrent_changes_in_two_processes_lose_nothing(
    products: ProductsService, settings: Settings
) -> None:
    created = await products.create(new_product("moka"))
    async with open_products(settings) as elsewhere:
        await asyncio.gather(
            products.change("moka", _changes(title="Moka Pot")),
            elsewhere.change("moka", _changes(description="Cast aluminium.")),
            products.change("moka", _changes(category="desk")),
            elsewhere.change("moka", _changes(images=["/images/moka.jpg"])),
        )
    changed = await products.product(created.id)
    assert (changed.title, changed.description) == ("Moka Pot", "Cast aluminium.")
    assert (changed.category, changed.images) == ("desk", ("/images/moka.jpg",))
    assert await _events_of(settings, created.id) == [
        (PRODUCT_CREATED, 1),
        *((PRODUCT_UPDATED, n) for n in range(2, 6)),
    ]


async def test_a_removed_product_is_gone_and_leaves_its_slug_and_skus(products: ProductsService) -> None:
    moka = await products.create(new_product("moka", prices={"M3": 1}))
    await products.remove("moka")
    with pytest.raises(ProductNotFound):
        await products.product(moka.id)
    assert await products.quotes(["M3"]) == ()
    again = await products.create(new_product("moka", prices={"M3": 1}))
    assert await products.product("moka") == again


async def test_two_products_can_be_removed(products: ProductsService) -> None:
    for slug in ("moka", "kettle"):
        await products.create(new_product(slug))
        await products.remove(slug)
    with pytest.raises(ProductNotFound):
        await products.product("kettle")


async def test_removing_again_is_refused_and_says_nothing_twice(
    products: ProductsService, settings: Settings
) -> None:
    moka = await products.create(new_product("moka"))
    await products.remove(moka.id)
    with pytest.raises(ProductNotFound):
        await products.remove(moka.id)
    with pytest.raises(ProductNotFound):
        await products.change(moka.id, _changes(title="Back"))
    assert await _events_of(settings, moka.id) == [(PRODUCT_CREATED, 1), (REMOVED, 2)]


async def test_quotes_name_and_price_what_is_sold_and_leave_out_the_rest(products: ProductsService) -> None:
    moka = await products.create(new_product("moka", title="Moka Pot", prices={"M3": 10, "M6": 20}))
    await products.create(new_product("kettle", prices={"K1": 30}))
    quotes = await products.quotes(["M6", "K1", "GONE", "M6"])
    assert {quote.sku: quote.price.amount for quote in quotes} == {"M6": 20, "K1": 30}
    [quote] = await products.quotes(["M6"])
    assert (quote.title, quote.product_id) == ("Moka Pot – Size 6", moka.id)


async def test_indexes_are_made_once(servers: Servers) -> None:
    settings = catalog_settings(servers.mongo_url)
    assert len(await migrate(settings)) >= 5
    assert await migrate(settings) == []


async def test_indexes_are_not_made_again_over_a_full_catalog(
    settings: Settings, products: ProductsService
) -> None:
    await products.create(new_product("moka"))
    assert await migrate(settings) == []


async def test_a_catalog_without_its_indexes_is_not_ready(servers: Servers) -> None:
    settings = catalog_settings(servers.mongo_url)
    async with open_products(settings) as products:
        with pytest.raises(Unavailable):
            await products.ready()
        await migrate(settings)
        await products.ready()


async def test_a_server_that_is_down_is_an_outage_and_no_bug() -> None:
    nobody = catalog_settings(f"mongodb://127.0.0.1:{free_port()}")
    async with open_products(nobody) as products:
        refused = await asyncio.gather(
            products.product("moka"),
            products.quotes(["M3"]),
            products.create(new_product("moka")),
            products.ready(),
            return_exceptions=True,
        )
    assert [type(answer) for answer in refused] == [Unavailable] * 4
