"""Products' documents: a product is one document, its events inside it; and what else is stored."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from beanie import Document
from beanie.odm.utils.dump import get_dict
from pydantic import BaseModel, ConfigDict, Field
from pymongo import ASCENDING, DESCENDING, TEXT, IndexModel

from contracts.errors import Unavailable
from contracts.events import Event
from services.products import search
from services.products.product import Product, StockedVariant

# A document is 16 MiB at most: what was published makes room, what was not lets a product change no more.
MOST_BYTES_KEPT = 1 << 20
MOST_BYTES_WAITING = 8 << 20


class SortKeys(BaseModel):
    """A string for every order that lists come in, unique by the id at its end."""

    model_config = ConfigDict(frozen=True)

    price: str
    title: str
    created: str


class KeptEvent(Event):
    """An event in its product's document, which keeps it until it is old and was published.

    `telling` is another one each time that all is told again.
    """

    published_at: datetime | None = None
    telling: str | None = None


def events_index(times: Iterable[tuple[datetime, datetime | None]]) -> dict[str, Any]:
    """What finds a document by its events' state, at the top level, where every server can index it.

    It is made of when each happened and was published. `published_since` is the oldest published one's own
    time, in milliseconds: the embedded server would compare times there as text.
    """
    by_event = list(times)
    published = [time for time, published_at in by_event if published_at is not None]
    since = int(min(published).timestamp() * 1_000) if published else None
    return {"unpublished": len(published) < len(by_event), "published_since": since}


def with_room(events: Sequence[KeptEvent]) -> tuple[KeptEvent, ...]:
    """The events without the oldest published ones that a document has no room for.

    Unavailable where too many wait to be published: none of them is dropped.
    """
    sizes = [len(event.model_dump_json().encode()) for event in events]
    waiting = sum(size for event, size in zip(events, sizes, strict=True) if event.published_at is None)
    if waiting > MOST_BYTES_WAITING:
        raise Unavailable("too many events of this product wait to be published, try again")
    left = sum(sizes)
    kept: list[KeptEvent] = []
    for event, size in zip(events, sizes, strict=True):
        if left > MOST_BYTES_KEPT and event.published_at is not None:
            left -= size
        else:
            kept.append(event)
    return tuple(kept)


class ProductDocument(Document):
    """A product as it is stored: its fields, what is derived from them to find it, and its events.

    `rewrites` counts how often the events were marked or pruned, which is no new version of the product.
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
    events: tuple[KeptEvent, ...]
    unpublished: bool
    published_since: int | None
    rewrites: int

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
            IndexModel("unpublished", name="unpublished"),
            IndexModel("published_since", name="published_since"),
        ]

    @classmethod
    def of(cls, product: Product, events: tuple[KeptEvent, ...], rewrites: int = 0) -> Self:
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
            rewrites=rewrites,
            **events_index((event.time, event.published_at) for event in events),
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


class StockDocument(Document):
    """How many of a sku can be had, as inventory said last; a document of its own, as no edit may lose it."""

    id: str = Field(alias="_id")  # type: ignore[assignment]
    available: int
    sequence: int

    class Settings:
        name = "stock_levels"


class ParkedDocument(Document):
    """An event that waits for a handler; `line` names handler and subject, `position` is its place there."""

    id: str = Field(alias="_id")  # type: ignore[assignment]
    line: str
    position: int
    handler: str
    subject: str
    event_id: str
    event_type: str
    body: str
    reason: str
    parked_at: datetime

    class Settings:
        name = "parked"
        indexes = [IndexModel([("line", ASCENDING), ("position", ASCENDING)], name="line", unique=True)]  # noqa: RUF012


class LeaseDocument(Document):
    """Who may do what only one process does at a time, and until when, in milliseconds."""

    id: str = Field(alias="_id")  # type: ignore[assignment]
    holder: str
    expires: int

    class Settings:
        name = "leases"


DOCUMENTS = (ProductDocument, CategoryDocument, StockDocument, ParkedDocument, LeaseDocument)
