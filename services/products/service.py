"""Products' use cases: the only way in."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from contracts.errors import Unavailable
from contracts.products import NewCategory, NewProduct, ProductChanges, Quote
from runtime.clock import Clock, utc_now
from runtime.reactions import Heard
from services.products import rules
from services.products.errors import ProductNotFound, UnknownCategory
from services.products.heard import StockFacts
from services.products.product import Category, Product
from services.products.search import Position, Query, next_position
from services.products.store import ProductsStore, Stored

CHANGE_SECONDS = 5.0


class StockPeer(Protocol):
    """Who knows what can be had."""

    async def available(self, skus: Sequence[str]) -> Mapping[str, int] | None:
        """Units by sku, of those that have stock at all; None when this cannot be known now."""


@dataclass(frozen=True)
class ProductPage:
    """Some products of a list, and where the next ones start; None at its end."""

    products: Sequence[Product]
    next: Position | None = None


class ProductsService:
    """The catalog: one product to a slug, one price to a sku, no edit lost."""

    def __init__(self, store: ProductsStore, stock: StockPeer, clock: Clock = utc_now) -> None:
        self._store = store
        self._stock = stock
        self._clock = clock

    async def product(self, reference: str) -> Product:
        """The product with this id or slug."""
        found = await self._store.product(reference) if rules.is_reference(reference) else None
        if found is None:
            raise _not_found(reference)
        return found

    async def search(self, query: Query) -> ProductPage:
        """A page of the products that the query asks for; none for a search without a word in it."""
        if query.words == ():
            return ProductPage(())
        found = await self._store.page(replace(query, limit=query.limit + 1))
        if len(found) <= query.limit:
            return ProductPage(found)
        page = found[: query.limit]
        return ProductPage(page, next_position(query, page))

    async def in_stock(self, products: Sequence[Product]) -> Sequence[Product]:
        """The same products with what inventory has of each variant, else with what was heard of it last."""
        skus = [sku for product in products for sku in product.skus]
        available = await self._stock.available(skus)
        if available is not None:
            # What inventory does not know, there is none of.
            available = dict.fromkeys(skus, 0) | dict(available)
        else:
            available = await self._store.stock(skus)
        return [rules.stocked(product, available) for product in products]

    async def follow_stock(self, heard: Heard[StockFacts]) -> None:
        """Know what can be had while inventory does not answer; safe to repeat and in any order."""
        await self._store.remember_stock(heard.facts.sku, heard.facts.available, heard.sequence)

    async def create(self, new: NewProduct) -> Product:
        """Sell a new product; refused when its slug or a sku is taken, or its category unknown."""
        product, events = rules.created(new, self._now())
        async with _bounded():
            await self._check_category(new.category)
            async with self._store.selling(product.skus, product.id):
                await self._store.insert(product, events)
        return product

    async def change(self, reference: str, changes: ProductChanges) -> Product:
        """Make the changes on top of what others have changed meanwhile; safe to repeat."""
        async with _bounded():
            if changes.category is not None:
                await self._check_category(changes.category)
            while True:
                before = await self._stored(reference)
                after, events = rules.changed(before.product, changes, self._now())
                if not events:
                    return before.product
                async with self._store.selling(set(after.skus).difference(before.product.skus), after.id):
                    if await self._store.update(before, after, events):
                        return after

    async def remove(self, reference: str) -> None:
        """Sell a product no more, its slug and skus are free again; a repeat is refused and does nothing."""
        async with _bounded():
            while True:
                before = await self._stored(reference)
                after, events = rules.removed(before.product, self._now())
                if await self._store.bury(before, after, events):
                    return

    async def quotes(self, skus: Iterable[str]) -> tuple[Quote, ...]:
        """What those skus that are sold are called and cost now."""
        return await self._store.quotes(skus)

    async def categories(self, limit: int, after: str | None = None) -> list[Category]:
        """At most `limit` categories by slug, after the given one."""
        return await self._store.categories(limit, after)

    async def create_category(self, new: NewCategory) -> Category:
        """Open a category; refused with CategoryTaken when it exists."""
        return await self._store.add_category(new)

    async def ready(self) -> None:
        await self._store.ping()

    def _now(self) -> datetime:
        """To the millisecond, which is all that the store keeps: what is answered is what is read later."""
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1_000 * 1_000)

    async def _check_category(self, slug: str) -> None:
        if not await self._store.category_exists(slug):
            raise UnknownCategory(f"there is no category {slug}")

    async def _stored(self, reference: str) -> Stored:
        found = await self._store.stored(reference) if rules.is_reference(reference) else None
        if found is None:
            raise _not_found(reference)
        return found


def _not_found(reference: str) -> ProductNotFound:
    return ProductNotFound(f"there is no product {reference}")


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    """However many others change the catalog too, or how slow it is: an answer comes in time."""
    try:
        async with asyncio.timeout(CHANGE_SECONDS):
            yield
    except TimeoutError as error:
        raise Unavailable("the catalog could not be changed in time, try again") from error
