from datetime import UTC, datetime

import pytest

from services.products.product import Product
from services.products.rules import created
from services.products.search import (
    MAX_RELEVANT,
    Query,
    Sort,
    created_key,
    next_position,
    price_key,
    title_key,
    words_in,
    words_of,
)
from tests.products_samples import new_product

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def _product(slug: str, now: datetime = NOW, **fields: object) -> Product:
    return created(new_product(slug, **fields), now)[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Moka Pot, 3 Cup", ("moka", "pot", "3", "cup")),
        ("CAFÉ crème", ("cafe", "creme")),
        ("lamps glasses brushes berries", ("lamp", "glass", "brush", "berry")),
        ("glass bus iris gas", ("glass", "bus", "iris", "gas")),
        ("KIT-MOKA_3", ("kit", "moka", "3")),
        ('"; $where\x00 -(', ("where",)),
        ("!?", ()),
    ],
)
def test_a_text_comes_down_to_its_words(text: str, words: tuple[str, ...]) -> None:
    assert words_in(text) == words


def test_a_product_is_found_by_title_category_variant_sku_and_description() -> None:
    product = _product("moka", title="Moka Pot", description="Cast aluminium", prices={"KIT-M3": 1})
    assert {"moka", "pot", "kitchen", "size", "kit", "m3", "cast", "aluminium"} <= set(words_of(product))


def test_the_title_weighs_more_than_the_description() -> None:
    words = words_of(_product("a", title="Kettle", description="Not a moka."))
    assert words.count("kettle") > words.count("moka")


def test_price_keys_sort_as_the_cheapest_variants_do() -> None:
    prices = [{"A": 5}, {"B": 900, "C": 10}, {"D": 1_000_000_000}]
    keys = [price_key(_product("x", prices=p)) for p in prices]
    assert keys == sorted(keys)


def test_title_keys_sort_without_regard_to_case_and_a_title_before_its_longer_ones() -> None:
    titles = ["desk lamp", "Lamp", "LAMP shade", "Lampion"]
    keys = [title_key(_product("x", title=title)) for title in titles]
    assert keys == sorted(keys)


def test_keys_of_equal_products_differ() -> None:
    first, second = _product("x"), _product("x")
    assert (
        len({key(product) for key in (price_key, title_key, created_key) for product in (first, second)}) == 6
    )


def test_the_key_of_a_time_is_the_same_after_a_store_has_cut_it_to_milliseconds() -> None:
    product = _product("x", now=NOW.replace(microsecond=123_456))
    stored = product.model_copy(update={"created_at": NOW.replace(microsecond=123_000)})
    assert created_key(product) == created_key(stored)


def test_a_sorted_list_goes_on_after_its_last_product() -> None:
    page = [_product("x", price=1), _product("y", price=2)]
    assert next_position(Query(Sort.PRICE_DESCENDING, 2), page) == price_key(page[-1])


def test_a_relevant_list_goes_on_by_count_and_ends_at_a_bound() -> None:
    page = [_product("x")] * 100
    assert next_position(Query(Sort.RELEVANCE, 100, after=200), page) == 300
    assert next_position(Query(Sort.RELEVANCE, 100, after=MAX_RELEVANT - 100), page) is None
