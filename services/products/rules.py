"""Products' decisions, pure: what a change makes of a product, and what it says."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from contracts.events import Event, EventData
from contracts.products import (
    PRICE_CHANGED,
    PRODUCT_CREATED,
    PRODUCT_UPDATED,
    REMOVED,
    NewProduct,
    PriceChanged,
    ProductChanges,
    ProductCreated,
    ProductState,
    ProductUpdated,
    Removed,
    Variant,
)
from services.products.product import Product

_ID_PREFIX = "prd_"
_REFERENCE = re.compile(r"(prd_)?[a-z0-9-]+")

Facts = list[tuple[str, EventData]]
Change = tuple[Product, tuple[Event, ...]]


def is_reference(text: str) -> bool:
    """Whether this can be a product's id or slug at all."""
    return _REFERENCE.fullmatch(text) is not None


def is_id(reference: str) -> bool:
    """Ids have an underscore, slugs have none: no slug is ever taken for an id."""
    return reference.startswith(_ID_PREFIX)


def full_title(product: str, variant: str) -> str:
    """What a sku is called where it stands alone: in a cart, on an order."""
    return f"{product} – {variant}"


def created(new: NewProduct, now: datetime) -> Change:
    """The first version of a product."""
    product = Product(
        **new.model_dump(), id=f"{_ID_PREFIX}{uuid4().hex}", version=0, created_at=now, updated_at=now
    )
    return _next_version(product, [(PRODUCT_CREATED, ProductCreated(**_state(product)))], now)


def changed(product: Product, changes: ProductChanges, now: datetime) -> Change:
    """The next version, and why: prices that changed, skus that are gone, then all of the product.

    Without events when nothing changes.
    """
    given = changes.model_dump(exclude_unset=True)
    after = Product.model_validate(product.model_dump() | given)
    if after == product:
        return product, ()
    facts: Facts = [(PRICE_CHANGED, change) for change in price_changes(product, after)]
    still_sold = set(after.skus)
    if gone := tuple(sku for sku in product.skus if sku not in still_sold):
        facts.append((REMOVED, Removed(product_id=product.id, skus=gone)))
    facts.append((PRODUCT_UPDATED, ProductUpdated(**_state(after))))
    return _next_version(after, facts, now)


def removed(product: Product, now: datetime) -> Change:
    """The last version of a product."""
    return _next_version(product, [(REMOVED, Removed(product_id=product.id, skus=product.skus))], now)


def price_changes(before: Product, after: Product) -> Iterator[PriceChanged]:
    """The skus that were sold before and cost something else now."""
    old = {variant.sku: variant.price for variant in before.variants}
    for variant in after.variants:
        price = old.get(variant.sku, variant.price)
        if price != variant.price:
            yield PriceChanged(product_id=after.id, sku=variant.sku, old_price=price, new_price=variant.price)


def stocked(product: Product, available: Mapping[str, int]) -> Product:
    """The product with what can be had of each variant, as far as this is known."""
    variants = tuple(
        variant.model_copy(update={"available": available.get(variant.sku)}) for variant in product.variants
    )
    return product.model_copy(update={"variants": variants})


def _state(product: Product) -> dict[str, Any]:
    state = product.model_dump(include=set(ProductState.model_fields))
    variants = tuple(Variant(**variant.model_dump()) for variant in product.variants)
    return state | {"product_id": product.id, "variants": variants}


def _next_version(product: Product, facts: Facts, now: datetime) -> Change:
    """Every event counts the version up by one, so that no two facts of a product share a sequence."""
    events = tuple(
        Event.of(name, subject=product.id, sequence=sequence, time=now, data=data)
        for sequence, (name, data) in enumerate(facts, start=product.version + 1)
    )
    return product.model_copy(update={"version": events[-1].sequence, "updated_at": now}), events
