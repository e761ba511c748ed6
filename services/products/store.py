"""Products' queries: every change is one update of one document, guarded by its version and its events."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import DuplicateKeyError

from contracts.errors import DomainError
from contracts.events import Event
from contracts.products import NewCategory, Quote
from runtime.trace import current_traceparent
from services.products import rules
from services.products.connection import Connection, Raw
from services.products.documents import (
    CategoryDocument,
    KeptEvent,
    ProductDocument,
    StockDocument,
    with_room,
)
from services.products.errors import CategoryTaken, SkuTaken, SlugTaken
from services.products.product import Category, Product
from services.products.search import Query, Sort

_FIELDS = {field.alias or name: 1 for name, field in Product.model_fields.items()}
_ORDER = {
    Sort.PRICE: ("order.price", ASCENDING),
    Sort.PRICE_DESCENDING: ("order.price", DESCENDING),
    Sort.TITLE: ("order.title", ASCENDING),
    Sort.NEWEST: ("order.created", DESCENDING),
}
_RELEVANCE = {"$meta": "textScore"}


@dataclass(frozen=True)
class Stored:
    """A product as an edit finds it: with the events that its document holds, and how often those changed."""

    product: Product
    events: tuple[KeptEvent, ...]
    rewrites: int | None


class ProductsStore:
    """Everything that products reads and writes, in its own database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._products = connection.collection(ProductDocument)
        self._categories = connection.collection(CategoryDocument)
        self._stock = connection.collection(StockDocument)
        self._selling = asyncio.Lock()

    async def product(self, reference: str) -> Product | None:
        """The product with this id or slug."""
        async with self._connection.reaching():
            raw = await self._products.find_one(_named(reference), _FIELDS)
        return Product.model_validate(raw) if raw is not None else None

    async def stored(self, reference: str) -> Stored | None:
        """The same, with its events: what an edit needs."""
        async with self._connection.reaching():
            raw = await self._products.find_one(_named(reference), _FIELDS | {"events": 1, "rewrites": 1})
        if raw is None:
            return None
        events = tuple(KeptEvent.model_validate(event) for event in raw["events"])
        return Stored(Product.model_validate(raw), events, raw.get("rewrites"))

    async def page(self, query: Query) -> list[Product]:
        """At most `limit` products in the query's order, from its position on."""
        wanted = _wanted(query)
        if query.sort is Sort.RELEVANCE:
            cursor = self._products.find(wanted, _FIELDS | {"score": _RELEVANCE})
            cursor = cursor.sort([("score", _RELEVANCE), ("_id", ASCENDING)]).skip(int(query.after or 0))
        else:
            key, direction = _ORDER[query.sort]
            if query.after is not None:
                wanted[key] = {"$gt" if direction == ASCENDING else "$lt": query.after}
            cursor = self._products.find(wanted, _FIELDS).sort(key, direction)
        async with self._connection.reaching():
            return [Product.model_validate(raw) async for raw in cursor.limit(query.limit)]

    async def quotes(self, skus: Iterable[str]) -> tuple[Quote, ...]:
        """The quotes of those skus that are sold: one query, and no more read than a quote needs."""
        wanted = set(skus)
        sold = self._products.find({"skus": {"$in": list(wanted)}}, {"title": 1, "variants": 1})
        async with self._connection.reaching():
            return tuple(
                [
                    Quote(
                        sku=variant["sku"],
                        title=rules.full_title(raw["title"], variant["title"]),
                        price=variant["price"],
                        product_id=raw["_id"],
                    )
                    async for raw in sold
                    for variant in raw["variants"]
                    if variant["sku"] in wanted
                ]
            )

    @asynccontextmanager
    async def selling(self, skus: Iterable[str], product_id: str) -> AsyncIterator[None]:
        """A block in which the product may take these skus; SkuTaken names those that another one sells.

        The unique index is what guards them; the embedded server's compares whole lists only, so there
        one block at a time does.
        """
        wanted = set(skus)
        if not wanted:
            yield
            return
        async with self._selling:
            others = self._products.find(
                {"skus": {"$in": list(wanted)}, "_id": {"$ne": product_id}}, {"skus": 1}
            )
            async with self._connection.reaching():
                taken = wanted.intersection([sku async for raw in others for sku in raw["skus"]])
            if taken:
                raise SkuTaken(f"another product sells {', '.join(sorted(taken))}")
            yield

    async def insert(self, product: Product, events: Sequence[Event]) -> None:
        """Add a product with its first events; refused when another one has its slug or a sku of it."""
        async with self._connection.reaching():
            document = ProductDocument.of(product, _traced(events))
            try:
                await self._products.insert_one(document.to_mongo())
            except DuplicateKeyError as error:
                raise _taken(error) from error

    async def update(self, before: Stored, after: Product, events: Sequence[Event]) -> bool:
        """Store a product's next version with its events; False when somebody else was faster."""
        async with self._connection.reaching():
            return await self._replace(before, _next(before, after, events).to_mongo())

    async def bury(self, before: Stored, after: Product, events: Sequence[Event]) -> bool:
        """Leave a tombstone that holds the events and takes no slug and no sku; False as in update."""
        async with self._connection.reaching():
            return await self._replace(before, _next(before, after, events).to_tombstone())

    async def category_exists(self, slug: str) -> bool:
        async with self._connection.reaching():
            return await self._categories.find_one({"_id": slug}, {"_id": 1}) is not None

    async def add_category(self, new: NewCategory) -> Category:
        """Add a category; CategoryTaken when there is one of this slug."""
        async with self._connection.reaching():
            document = CategoryDocument(_id=new.slug, title=new.title, description=new.description)
            try:
                await self._categories.insert_one(document.to_mongo())
            except DuplicateKeyError as error:
                raise CategoryTaken(f"there is a category {new.slug} already") from error
        return Category(**new.model_dump())

    async def categories(self, limit: int, after: str | None) -> list[Category]:
        """At most `limit` categories by slug, after the given one."""
        wanted: Raw = {"_id": {"$gt": after}} if after is not None else {}
        async with self._connection.reaching():
            found = self._categories.find(wanted).sort("_id", ASCENDING).limit(limit)
            return [Category.model_validate(raw) async for raw in found]

    async def remember_stock(self, sku: str, available: int, sequence: int) -> None:
        """Remember how many can be had, unless something newer is known; safe to repeat."""
        older = {"_id": sku, "sequence": {"$lt": sequence}}
        level = {"$set": {"available": available, "sequence": sequence}}
        async with self._connection.reaching():
            # What is there and not older stands in the way of being inserted.
            with suppress(DuplicateKeyError):
                await self._stock.update_one(older, level, upsert=True)

    async def stock(self, skus: Iterable[str]) -> Mapping[str, int]:
        """How many can be had, as far as this was heard."""
        async with self._connection.reaching():
            levels = self._stock.find({"_id": {"$in": list(skus)}}, {"available": 1})
            return {raw["_id"]: raw["available"] async for raw in levels}

    async def ping(self) -> None:
        await self._connection.ping()

    async def _replace(self, before: Stored, document: Raw) -> bool:
        # Replaced and not $set: the embedded server would store a time at the top level as text.
        as_read = {
            "_id": before.product.id,
            "version": before.product.version,
            "rewrites": before.rewrites,
        }
        try:
            result = await self._products.replace_one(as_read, document)
        except DuplicateKeyError as error:
            raise _taken(error) from error
        return result.matched_count == 1


def _named(reference: str) -> Raw:
    return {"_id" if rules.is_id(reference) else "slug": reference, "deleted_at": None}


def _wanted(query: Query) -> Raw:
    wanted: Raw = {"deleted_at": None}
    if query.category is not None:
        wanted["category"] = query.category
    bounds = {"$gte": query.min_price, "$lte": query.max_price}
    if given := {bound: price for bound, price in bounds.items() if price is not None}:
        wanted["min_price"] = given
    if query.words is not None:
        # Quoted, all of them must be found; bare, MongoDB is content with any.
        wanted["$text"] = {"$search": " ".join(f'"{word}"' for word in query.words)}
    return wanted


def _next(before: Stored, after: Product, events: Sequence[Event]) -> ProductDocument:
    return ProductDocument.of(after, with_room(before.events + _traced(events)), before.rewrites or 0)


def _traced(events: Sequence[Event]) -> tuple[KeptEvent, ...]:
    traceparent = current_traceparent()
    return tuple(KeptEvent(**event.model_dump() | {"traceparent": traceparent}) for event in events)


def _taken(error: DuplicateKeyError) -> DomainError:
    """Which unique index refused: MongoDB names the key, the embedded server only its index."""
    details = error.details or {}
    if "slug" in (details.get("keyPattern") or details.get("errmsg") or str(error)):
        return SlugTaken("another product has this slug")
    return SkuTaken("another product sells one of these skus")
