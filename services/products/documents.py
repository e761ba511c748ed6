"""Products' documents: a product is one document, its events inside it."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from beanie import Document
from beanie.odm.utils.dump import get_dict
from pydantic import BaseModel, ConfigDict, Field
from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel

from contracts.events import Event
from services.products import search
from services.products.product import Product, StockedVariant


class SortKeys(BaseModel):
    """A string for every order that lists come in, unique by the id at its end."""

    model_config = ConfigDict(frozen=True)

    price: str
    title: str
    created: str


class ProductDocument(Document):
    """A product as it is stored: its fields, what is derived from them to find it, and its events.

    `skus` repeats the variants' own because a flat list is what every server can index and search.
    A deleted product keeps its events; it loses `slug`, `skus`, `words` and `order`, and so their use.
    """

    id: str = Field(alias="_id")  # type: ignore[assignment]
    slug: str
    title: str
    description: str
    category: str
    images: tuple[str, ...]
    variants: tuple[StockedVariant, ...]
    version: int
    created_at: datetime
    updated_at: datetime
    skus: tuple[str, ...]
    min_price: int
    words: str
    order: SortKeys
    events: tuple[Event, ...]

    class Settings:
        name = "products"
        bson_encoders = {UUID: str}  # noqa: RUF012 - Beanie's own way to declare them
        indexes = [  # noqa: RUF012
            # Unique among the products that have them, which deleted ones do not.
            IndexModel("slug", name="slug", unique=True, partialFilterExpression={"slug": {"$exists": True}}),
            IndexModel("skus", name="skus", unique=True, partialFilterExpression={"skus": {"$exists": True}}),
            # search.words_in has brought the words into one form: the server need not know a language.
            IndexModel([("words", TEXT)], name="words", default_language="none"),
            IndexModel("order.price", name="by_price"),
            IndexModel("order.title", name="by_title"),
            IndexModel([("order.created", DESCENDING)], name="by_created"),
            IndexModel([("category", ASCENDING), ("min_price", ASCENDING)], name="by_category"),
        ]

    @classmethod
    def of(cls, product: Product, events: tuple[Event, ...]) -> Self:
        """The document of a product, with all that is derived."""
        return cls(
            **product.model_dump(by_alias=True),
            skus=product.skus,
            min_price=product.min_price,
            words=" ".join(search.words_of(product)),
            order=SortKeys(
                price=search.price_key(product),
                title=search.title_key(product),
                created=search.created_key(product),
            ),
            events=events,
        )

    def to_mongo(self) -> dict[str, Any]:
        """The document as the driver takes it; what is None is absent."""
        stored: dict[str, Any] = get_dict(self, to_db=True, keep_nulls=False)
        return stored

    def to_tombstone(self) -> dict[str, Any]:
        """What is kept of a deleted product."""
        freed = ("slug", "skus", "words", "order")
        kept = {field: value for field, value in self.to_mongo().items() if field not in freed}
        return kept | {"deleted_at": self.updated_at}


class CategoryDocument(Document):
    """A category as it is stored; its id is its slug, and so unique."""

    id: str = Field(alias="_id")  # type: ignore[assignment]
    title: str
    description: str

    class Settings:
        name = "categories"

    def to_mongo(self) -> dict[str, Any]:
        stored: dict[str, Any] = get_dict(self, to_db=True)
        return stored
