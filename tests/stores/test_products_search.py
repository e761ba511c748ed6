"""Finding products on a real server: search, filters, and every order in pages."""

from collections.abc import AsyncIterator, Sequence

import pytest

from contracts.products import ProductChanges
from services.products.product import Product
from services.products.search import Query, Sort, words_in
from services.products.service import ProductsService
from tests.conftest import Servers
from tests.products_samples import catalog_settings, new_product, open_catalog

PRICES = [500, 300, 300, 900, 100, 300, 700, 100, 200, 300, 800]
TITLES = ["pear", "Apple", "2026-11-22", "apple", "Fig jam", "quince", "Plum", "kiwi", "lime", "Date", "nut"]


@pytest.fixture
async def products(servers: Servers) -> AsyncIterator[ProductsService]:
    async with open_catalog(catalog_settings(servers.mongo_url)) as opened:
        yield opened


@pytest.fixture
async def fruit(products: ProductsService) -> list[Product]:
    """Products whose prices and titles repeat, so that ties have to be broken."""
    return [
        await products.create(
            new_product(f"p{n}", title=title, price=price, category="desk" if n % 2 else "kitchen")
        )
        for n, (title, price) in enumerate(zip(TITLES, PRICES, strict=True))
    ]


async def _titles(products: ProductsService, text: str, sort: Sort = Sort.RELEVANCE) -> list[str]:
    page = await products.search(Query(sort, 50, words=words_in(text)))
    return [product.title for product in page.products]


def _order(sort: Sort, fruit: list[Product]) -> Sequence[object]:
    """What the listed values must be, whatever the order of equals."""
    match sort:
        case Sort.PRICE:
            return sorted(product.min_price for product in fruit)
        case Sort.PRICE_DESCENDING:
            return sorted((product.min_price for product in fruit), reverse=True)
        case Sort.TITLE:
            return sorted(product.title.casefold() for product in fruit)
        case _:
            return sorted((product.created_at for product in fruit), reverse=True)


def _value(sort: Sort, product: Product) -> object:
    if sort is Sort.TITLE:
        return product.title.casefold()
    return product.created_at if sort is Sort.NEWEST else product.min_price


SORTED = [Sort.PRICE, Sort.PRICE_DESCENDING, Sort.TITLE, Sort.NEWEST]


@pytest.mark.parametrize("sort", SORTED)
@pytest.mark.parametrize("limit", [1, 3, 11])
async def test_pages_hold_every_product_once_and_in_order(
    products: ProductsService, fruit: list[Product], sort: Sort, limit: int
) -> None:
    listed: list[Product] = []
    page = await products.search(Query(sort, limit))
    while page.next is not None:
        listed += page.products
        page = await products.search(Query(sort, limit, after=page.next))
    listed += page.products
    assert [_value(sort, product) for product in listed] == [*_order(sort, fruit)]
    assert {product.id for product in listed} == {product.id for product in fruit}


@pytest.mark.parametrize("sort", SORTED)
async def test_products_added_and_removed_meanwhile_neither_double_nor_hide_others(
    products: ProductsService, fruit: list[Product], sort: Sort
) -> None:
    first = await products.search(Query(sort, 4))
    for n, price in enumerate((0, 300, 999)):
        await products.create(new_product(f"new{n}", title="fig", price=price))
    await products.remove(first.products[-1].id)
    rest = await products.search(Query(sort, 50, after=first.next))
    listed = [product.id for product in (*first.products, *rest.products)]
    assert len(listed) == len(set(listed))
    assert {product.id for product in fruit} <= set(listed)


async def test_filters_narrow_a_list_together(products: ProductsService, fruit: list[Product]) -> None:
    page = await products.search(Query(Sort.PRICE, 50, category="desk", min_price=200, max_price=700))
    expected = [p for p in fruit if p.category == "desk" and 200 <= p.min_price <= 700]
    assert {product.id for product in page.products} == {product.id for product in expected}


async def test_a_category_of_nothing_is_empty(products: ProductsService, fruit: list[Product]) -> None:
    page = await products.search(Query(Sort.PRICE, 50, category="nowhere"))
    assert (page.products, page.next) == ([], None)


async def test_a_price_filter_looks_at_the_cheapest_variant(products: ProductsService) -> None:
    await products.create(new_product("moka", prices={"M3": 100, "M6": 900}))
    assert not (await products.search(Query(Sort.PRICE, 5, min_price=200))).products
    assert (await products.search(Query(Sort.PRICE, 5, max_price=100))).products


async def test_a_search_wants_all_words_wherever_they_stand(products: ProductsService) -> None:
    await products.create(new_product("moka", title="Moka Pot", description="Cast aluminium."))
    await products.create(new_product("pan", title="Cast Iron Pan"))
    assert await _titles(products, "ALUMINIUM pots") == ["Moka Pot"]
    assert set(await _titles(products, "cast")) == {"Moka Pot", "Cast Iron Pan"}
    assert await _titles(products, "moka iron") == []


async def test_what_names_a_product_comes_before_what_mentions_it(products: ProductsService) -> None:
    await products.create(new_product("kettle", title="Kettle", description="Goes with a moka pot."))
    await products.create(new_product("moka", title="Moka Pot", description="For coffee."))
    assert await _titles(products, "moka") == ["Moka Pot", "Kettle"]


@pytest.mark.parametrize("text", ['"', "(", "moka* AND", "-moka", "\x00", "' OR 1=1", "title:moka", "$where"])
async def test_no_search_is_a_syntax_error(products: ProductsService, text: str) -> None:
    await products.create(new_product("kettle"))
    assert await _titles(products, text) == []


async def test_a_search_follows_what_a_product_is_called_now(products: ProductsService) -> None:
    await products.create(new_product("moka", title="Moka Pot"))
    await products.change("moka", ProductChanges(title="Percolator"))
    assert await _titles(products, "percolator") == ["Percolator"]
    assert await _titles(products, "pot") == []
    await products.remove("moka")
    assert await _titles(products, "percolator") == []


async def test_relevant_products_come_in_pages_too(products: ProductsService) -> None:
    for n in range(7):
        await products.create(new_product(f"pot{n}", title="Pot " * (n + 1)))
    listed: list[str] = []
    after: str | int | None = None
    for _ in range(4):
        page = await products.search(Query(Sort.RELEVANCE, 2, words=("pot",), after=after))
        listed += [product.slug for product in page.products]
        after = page.next
    assert after is None
    assert sorted(listed) == [f"pot{n}" for n in range(7)]


async def test_a_search_can_be_sorted_by_price(products: ProductsService) -> None:
    for n, price in enumerate((300, 100, 200)):
        await products.create(new_product(f"pot{n}", title=f"Pot {price}", price=price))
    await products.create(new_product("pan", price=150))
    page = await products.search(Query(Sort.PRICE_DESCENDING, 2, words=("pot",)))
    rest = await products.search(Query(Sort.PRICE_DESCENDING, 2, words=("pot",), after=page.next))
    assert [p.title for p in (*page.products, *rest.products)] == ["Pot 300", "Pot 200", "Pot 100"]
