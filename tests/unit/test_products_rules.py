from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from contracts.events import Event
from contracts.products import PRICE_CHANGED, PRODUCT_CREATED, PRODUCT_UPDATED, REMOVED, ProductChanges
from services.products.product import Product
from services.products.rules import changed, created, is_id, is_reference, removed, stocked
from tests.products_samples import new_product

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def product() -> Product:
    return created(new_product("moka", prices={"M-3": 3490, "M-6": 4490}), NOW)[0]


def _changes(**fields: object) -> ProductChanges:
    return ProductChanges.model_validate(fields)


def _repriced(**prices: int) -> ProductChanges:
    named = {sku.replace("_", "-"): amount for sku, amount in prices.items()}
    return _changes(variants=new_product("any", prices=named).model_dump()["variants"])


def _facts(events: tuple[Event, ...]) -> list[tuple[str, int]]:
    return [(event.type, event.sequence) for event in events]


def test_a_new_product_says_all_of_itself() -> None:
    product, [event] = created(new_product("moka"), NOW)
    assert (event.type, event.subject, event.sequence, product.version) == (
        PRODUCT_CREATED,
        product.id,
        1,
        1,
    )
    assert event.data["variants"] == [
        {"sku": "MOKA", "title": "Size A", "price": {"amount": 1000, "currency": "EUR"}}
    ]


def test_only_what_is_given_changes(product: Product) -> None:
    after, _ = changed(product, _changes(title="Kettle"), LATER)
    assert after == product.model_copy(update={"title": "Kettle", "version": 2, "updated_at": LATER})


def test_nothing_new_says_nothing(product: Product) -> None:
    assert changed(product, _changes(title=product.title), LATER) == (product, ())
    assert changed(product, _changes(), LATER) == (product, ())


def test_every_changed_price_is_said_with_its_old_one(product: Product) -> None:
    _, events = changed(product, _repriced(M_3=3000, M_6=4490), LATER)
    assert _facts(events) == [(PRICE_CHANGED, 2), (PRODUCT_UPDATED, 3)]
    assert events[0].data == {
        "product_id": product.id,
        "sku": "M-3",
        "old_price": {"amount": 3490, "currency": "EUR"},
        "new_price": {"amount": 3000, "currency": "EUR"},
    }


def test_no_two_facts_share_a_sequence_and_the_version_is_the_last(product: Product) -> None:
    after, events = changed(product, _repriced(M_3=1, M_6=2), LATER)
    assert [event.sequence for event in events] == [2, 3, 4]
    assert after.version == 4


def test_a_sku_that_is_left_out_is_said_to_be_removed(product: Product) -> None:
    _, events = changed(product, _repriced(M_3=3490, M_9=9), LATER)
    assert _facts(events) == [(REMOVED, 2), (PRODUCT_UPDATED, 3)]
    assert events[0].data["skus"] == ["M-6"]


def test_a_removed_product_names_its_skus(product: Product) -> None:
    after, [event] = removed(product, LATER)
    assert (event.type, event.data["skus"], after.version) == (REMOVED, ["M-3", "M-6"], 2)


def test_of_a_sku_that_nothing_is_known_of_nothing_is_said(product: Product) -> None:
    assert [variant.available for variant in stocked(product, {"M-3": 7}).variants] == [7, None]


def test_no_slug_is_an_id(product: Product) -> None:
    assert is_id(product.id)
    assert not any(is_id(slug) for slug in ("prd", "prd-1", "moka"))


@pytest.mark.parametrize("text", ["", "Moka", "a b", "a\x00", "../x", "prd_$ne"])
def test_what_can_name_no_product_is_not_looked_for(text: str) -> None:
    assert not is_reference(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Moka Pot"},
        {"slug": "a" * 65},
        {"title": " "},
        {"title": "a\tb"},
        {"title": "a" * 201},
        {"description": "a" * 5_001},
        {"images": ["javascript:alert(1)"]},
        {"images": ["/x.jpg"] * 21},
        {"variants": []},
        {"prices": {"A": -1}},
        {"prices": {"A": 1_000_000_001}},
        {"prices": {f"A{n}": 1 for n in range(101)}},
    ],
)
def test_what_is_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        new_product("moka", **wrong)


def test_a_sku_twice_in_a_product_is_refused() -> None:
    [variant] = new_product("moka").model_dump()["variants"]
    with pytest.raises(ValidationError, match="twice"):
        new_product("moka", variants=[variant, variant])


def test_two_currencies_in_a_product_are_refused() -> None:
    [variant] = new_product("moka").model_dump()["variants"]
    dollars = variant | {"sku": "OTHER", "price": {"amount": 1, "currency": "USD"}}
    with pytest.raises(ValidationError, match="one currency"):
        new_product("moka", variants=[variant, dollars])


def test_null_is_no_change() -> None:
    with pytest.raises(ValidationError, match="cannot be null"):
        _changes(title=None)
