"""Whatever can be created can be named in a path that the gateway lets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.gateway.paths import refuse_ambiguous
from contracts.inventory import StockLine
from contracts.money import AddressableSku
from contracts.products import NewProduct, NewVariant, ProductCreated, Slug, Variant

SKUS, SLUGS = TypeAdapter[str](AddressableSku), TypeAdapter[str](Slug)
PRICE = {"amount": 100, "currency": "EUR"}


def is_taken(adapter: TypeAdapter[str], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True


@given(st.text("AZaz09._-", min_size=1, max_size=66))
def test_a_sku_that_is_taken_can_be_addressed(sku: str) -> None:
    if is_taken(SKUS, sku):
        refuse_ambiguous(b"/v1/inventory/" + sku.encode())
        refuse_ambiguous(b"/v1/carts/mine/items/" + sku.encode())


@given(st.text("az09._-", min_size=1, max_size=66))
def test_a_slug_that_is_taken_can_be_addressed(slug: str) -> None:
    if is_taken(SLUGS, slug):
        refuse_ambiguous(b"/v1/products/" + slug.encode())


@pytest.mark.parametrize("sku", ["A", "A.B", "A..B", "KIT-MOKA-3", "a_", "a-", "x" * 64])
def test_what_is_a_sku(sku: str) -> None:
    assert is_taken(SKUS, sku)
    assert NewVariant.model_validate({"sku": sku, "title": "One", "price": PRICE}).sku == sku


@pytest.mark.parametrize("sku", ["", ".", "..", "A.", "A..", ".A", "-A", "_A", "A B", "A/B", "Ä", "x" * 65])
def test_what_is_none(sku: str) -> None:
    assert not is_taken(SKUS, sku)
    with pytest.raises(ValidationError):
        NewVariant.model_validate({"sku": sku, "title": "One", "price": PRICE})


def test_what_is_stored_by_an_older_rule_is_still_read() -> None:
    old = {"sku": "A.", "title": "\u00a0", "price": PRICE}
    assert Variant.model_validate(old).sku == "A."
    assert StockLine(sku="A.", quantity=1).sku == "A."
    product = {"slug": "a", "title": "\u00a0", "description": "", "category": "c", "images": ()}
    assert ProductCreated.model_validate(product | {"product_id": "prd_1", "variants": [old]}).variants
    with pytest.raises(ValidationError):
        NewProduct.model_validate(product | {"variants": [old | {"sku": "A"}]})
