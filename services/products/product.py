"""A product as it is read."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from contracts.products import Variant


class StockedVariant(Variant):
    """A variant with what is known of its stock, None where nothing is."""

    available: int | None = None


class Product(BaseModel):
    """What clients see of a product, and its version."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True)

    id: str = Field(alias="_id")
    slug: str
    title: str
    description: str
    category: str
    images: tuple[str, ...]
    variants: tuple[StockedVariant, ...]
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def skus(self) -> tuple[str, ...]:
        return tuple(variant.sku for variant in self.variants)

    @property
    def min_price(self) -> int:
        return min(variant.price.amount for variant in self.variants)


class Category(BaseModel):
    """A shelf that products stand on."""

    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True)

    slug: str = Field(alias="_id")
    title: str
    description: str
