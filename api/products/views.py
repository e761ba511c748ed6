"""What products' routes answer."""

from datetime import datetime

from pydantic import BaseModel

from contracts.money import Money
from services.products.product import Category, Product


class VariantView(BaseModel):
    """`available` is null while nobody knows it."""

    sku: str
    title: str
    price: Money
    available: int | None


class ProductView(BaseModel):
    id: str
    slug: str
    title: str
    description: str
    category: str
    images: tuple[str, ...]
    variants: tuple[VariantView, ...]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, product: Product) -> "ProductView":
        return cls.model_validate(product, from_attributes=True)


class CategoryView(BaseModel):
    slug: str
    title: str
    description: str

    @classmethod
    def of(cls, category: Category) -> "CategoryView":
        return cls.model_validate(category, from_attributes=True)
