"""Products for tests, and catalogs to put them in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Any

from pymongo import AsyncMongoClient

from contracts.products import NewCategory, NewProduct
from runtime.settings import Environment, Settings
from services.products.factory import migrate, open_products
from services.products.service import ProductsService

IDENTITY_SECRET = "identity-secret"
SERVICE_SECRET = "service-secret"


def new_product(slug: str, /, **fields: Any) -> NewProduct:
    """A product of one variant, its sku made from its slug, unless `prices` names others by sku."""
    prices: dict[str, int] = fields.pop("prices", {slug.upper(): fields.pop("price", 1000)})
    variants = [
        {"sku": sku, "title": f"Size {sku[-1]}", "price": {"amount": amount, "currency": "EUR"}}
        for sku, amount in prices.items()
    ]
    return NewProduct.model_validate(
        {"slug": slug, "title": slug.title(), "description": "", "category": "kitchen", "variants": variants}
        | fields
    )


def catalog_settings(mongo_url: str, **others: Any) -> Settings:
    """Settings that name a database of the caller's own."""
    return Settings.model_validate(
        {
            "environment": Environment.DEVELOPMENT,
            "identity_secret": IDENTITY_SECRET,
            "service_secret": SERVICE_SECRET,
            "products_mongo_url": mongo_url,
            "products_mongo_database": f"products_{token_hex(4)}",
        }
        | others
    )


@asynccontextmanager
async def open_catalog(settings: Settings) -> AsyncIterator[ProductsService]:
    """A migrated catalog with two categories."""
    await migrate(settings)
    async with open_products(settings) as products:
        for slug in ("kitchen", "desk"):
            await products.create_category(NewCategory(slug=slug, title=slug.title()))
        yield products


async def document_of(settings: Settings, product_id: str) -> dict[str, Any]:
    """What the database holds of a product, deleted or not."""
    async with AsyncMongoClient[dict[str, Any]](settings.secret("products_mongo_url")) as client:
        found = await client[settings.products_mongo_database]["products"].find_one({"_id": product_id})
    assert found is not None
    return found
