"""The demo catalog: one TOML file a category, its file name the category's slug."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["SeedCategory", "SeedProduct", "SeedVariant", "load_catalog", "load_categories"]

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]
Sku = Annotated[str, Field(pattern=r"^[A-Z0-9]+(-[A-Z0-9]+)*$", max_length=32)]
Text = Annotated[str, Field(min_length=1)]


class _Seed(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class SeedVariant(_Seed):
    """One sellable form of a product; the price is in minor units of EUR."""

    sku: Sku
    title: Text
    price: Annotated[int, Field(gt=0)]
    on_hand: Annotated[int, Field(ge=0)]


class SeedProduct(_Seed):
    """One product of the demo catalog, with every form it is sold in."""

    slug: Slug
    title: Text
    description: Text
    category: Slug
    images: Annotated[list[Text], Field(min_length=1)]
    variants: Annotated[list[SeedVariant], Field(min_length=1)]


class SeedCategory(_Seed):
    """One shelf of the demo catalog."""

    slug: Slug
    title: Text
    description: Text


def load_catalog(source: Traversable | None = None) -> list[SeedProduct]:
    """Every demo product, by category then file order, no slug or sku twice (ValueError); safe to repeat."""
    products = [
        SeedProduct.model_validate({**entry, "category": category})
        for category, document in _documents(source)
        for entry in document["products"]
    ]
    _refuse_duplicates("slug", (product.slug for product in products))
    _refuse_duplicates("sku", (variant.sku for product in products for variant in product.variants))
    return products


def load_categories(source: Traversable | None = None) -> list[SeedCategory]:
    """Every demo category, in the order load_catalog walks them; safe to repeat."""
    return [
        SeedCategory.model_validate(
            {**{key: value for key, value in document.items() if key != "products"}, "slug": slug}
        )
        for slug, document in _documents(source)
    ]


def _documents(source: Traversable | None) -> Iterator[tuple[str, dict[str, Any]]]:
    entries = (source or files(__name__)).iterdir()
    for entry in sorted(entries, key=lambda found: found.name):
        if entry.name.endswith(".toml"):
            yield entry.name.removesuffix(".toml"), tomllib.loads(entry.read_text(encoding="utf-8"))


def _refuse_duplicates(field: str, values: Iterable[str]) -> None:
    repeated = sorted(value for value, count in Counter(values).items() if count > 1)
    if repeated:
        raise ValueError(f"duplicate {field} in the catalog: {', '.join(repeated)}")
