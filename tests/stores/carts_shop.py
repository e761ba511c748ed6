"""Carts over the real Valkey, with a catalog that the test sets the prices of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import uuid4

from redis.asyncio import Redis

from contracts.carts import cart_ref_of
from contracts.events import Event, Facts
from contracts.inventory import StockLine
from contracts.money import Money
from contracts.orders import ORDER_CONFIRMED
from contracts.products import Quote
from runtime.clock import utc_now
from runtime.reactions import Heard
from services.carts import keys
from services.carts.cart import MINE, Cart, NamedCart
from services.carts.connection import connect
from services.carts.errors import UnknownSku
from services.carts.heard import BoughtFacts
from services.carts.service import CartService
from services.carts.store import CartStore

F = TypeVar("F", bound=Facts)

# A machine that stalls is no outage of the store.
PATIENCE_SECONDS = 30.0


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@dataclass
class Catalog:
    """Sells every sku that has a price; remembers what it was asked."""

    prices: dict[str, Money] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def quote(self, sku: str) -> Quote:
        self.asked.append(sku)
        if sku not in self.prices:
            raise UnknownSku(f"there is no article {sku}")
        return Quote(sku=sku, title=f"Title of {sku}", price=self.prices[sku], product_id="p1")


@dataclass
class Shop:
    carts: CartService
    redis: Redis
    catalog: Catalog

    async def guest_cart(self, lines: dict[str, int] | None = None) -> NamedCart:
        named = NamedCart((await self.carts.create(None)).id, None)
        await self.fill(named, lines or {})
        return named

    async def customer(self, lines: dict[str, int] | None = None) -> NamedCart:
        """A new customer's `mine`."""
        named = NamedCart(MINE, f"user-{uuid4()}")
        await self.fill(named, lines or {})
        return named

    async def fill(self, named: NamedCart, lines: dict[str, int]) -> None:
        for sku, quantity in lines.items():
            self.catalog.prices.setdefault(sku, euros(100))
            await self.carts.set_quantity(named, sku, quantity)

    async def settle(
        self, cart_id: str, bought: dict[str, int], *, order_id: str | None = None, generation: int = 0
    ) -> None:
        bought_lines = tuple(StockLine(sku=sku, quantity=quantity) for sku, quantity in bought.items())
        facts = BoughtFacts(
            order_id=order_id or str(uuid4()),
            cart_ref=cart_ref_of(cart_id),
            generation=generation,
            lines=bought_lines,
        )
        await self.carts.settle_bought(
            heard("carts.settle_bought_cart", ORDER_CONFIRMED, facts.order_id, 3, facts)
        )

    async def events(self, cart_id: str) -> list[Event]:
        """What the outbox says of one cart, oldest first."""
        entries: Any = await self.redis.xrange(keys.OUTBOX)
        events = [Event.model_validate_json(fields[keys.EVENT_FIELD]) for _, fields in entries]
        return [event for event in events if event.subject == cart_ref_of(cart_id)]


def heard(
    handler: str, event_type: str, subject: str, sequence: int, facts: F, time: datetime | None = None
) -> Heard[F]:
    """An event as the handler hears it."""
    return Heard(handler, uuid4(), event_type, subject, sequence, time or utc_now(), None, facts)


def quantities(cart: Cart) -> dict[str, int]:
    return {line.sku: line.quantity for line in cart.lines}


def user_of(named: NamedCart) -> str:
    assert named.caller is not None
    return named.caller


@asynccontextmanager
async def open_shop(url: str) -> AsyncIterator[Shop]:
    catalog = Catalog()
    async with connect(url, patience=PATIENCE_SECONDS) as redis:
        yield Shop(CartService(CartStore(redis), catalog.quote), redis, catalog)
