"""What products is told, what it quotes to a checkout, and what it says."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from contracts.events import EventData
from contracts.money import AddressableSku, Money, Sku
from contracts.text import Line

MAX_PRICE = 1_000_000_000
MAX_QUOTED_SKUS = 100

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64, examples=["moka-pot-3-cup"])]
Description = Annotated[str, Field(pattern=r"^[^\x00]*$", max_length=5_000)]
Image = Annotated[
    str, Field(pattern=r"^(https?:/)?/[^\s\x00]+$", max_length=500, examples=["/images/moka-pot-3-cup.jpg"])
]


class Price(Money):
    """What a variant costs, in minor units."""

    amount: int = Field(strict=True, ge=0, le=MAX_PRICE)


class Variant(BaseModel):
    """One sellable form of a product, with a sku that no other product has."""

    model_config = ConfigDict(frozen=True)

    sku: Sku
    title: str
    price: Price


class NewVariant(Variant):
    """A variant that is to be sold: stored ones may have been let in by older rules."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sku: AddressableSku
    title: Line


def _sellable(variants: tuple[NewVariant, ...]) -> tuple[NewVariant, ...]:
    if len({variant.sku for variant in variants}) < len(variants):
        raise ValueError("a sku stands in this list twice")
    if len({variant.price.currency for variant in variants}) > 1:
        raise ValueError("all variants of a product have one currency")
    return variants


Images = Annotated[tuple[Image, ...], Field(max_length=20)]
Variants = Annotated[tuple[NewVariant, ...], Field(min_length=1, max_length=100), AfterValidator(_sellable)]


class NewProduct(BaseModel):
    """Sell this."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Slug
    title: Line
    description: Description
    category: Slug
    images: Images = ()
    variants: Variants


class ProductChanges(BaseModel):
    """Change the fields that are given and leave the others; `variants` replaces the whole list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Slug | None = None
    title: Line | None = None
    description: Description | None = None
    category: Slug | None = None
    images: Images | None = None
    variants: Variants | None = None

    @model_validator(mode="after")
    def _nothing_is_unset(self) -> Self:
        for name in self.model_fields_set:
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null: leave it out to keep it as it is")
        return self


class NewCategory(BaseModel):
    """Open a shelf that products can stand on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slug: Slug
    title: Line
    description: Description = ""


class QuoteRequest(BaseModel):
    """What do these cost now?"""

    model_config = ConfigDict(frozen=True)

    skus: tuple[Sku, ...] = Field(max_length=MAX_QUOTED_SKUS)


class Quote(BaseModel):
    """What one sku is called and costs at this moment."""

    model_config = ConfigDict(frozen=True)

    sku: str
    title: str
    price: Money
    product_id: str


class Quotes(BaseModel):
    """A quote for every sku that is sold; one that is not, or not any more, is absent."""

    model_config = ConfigDict(frozen=True)

    items: tuple[Quote, ...]


class ProductState(EventData):
    """All of a product; an older sequence can be dropped."""

    product_id: str
    slug: str
    title: str
    description: str
    category: str
    images: tuple[str, ...]
    variants: tuple[Variant, ...]


class ProductCreated(ProductState):
    pass


class ProductUpdated(ProductState):
    pass


class PriceChanged(EventData):
    """One sku costs something else now."""

    product_id: str
    sku: str
    old_price: Money
    new_price: Money


class Removed(EventData):
    """These skus are sold no more: their product was deleted, or goes on without them."""

    product_id: str
    skus: tuple[str, ...]


PRODUCT_CREATED = "products.product_created"
PRODUCT_UPDATED = "products.product_updated"
PRICE_CHANGED = "products.price_changed"
REMOVED = "products.removed"
