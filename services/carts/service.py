"""Carts' use cases: the only way in."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from contracts.carts import BoughtCart, CartSnapshot, Repricing
from contracts.products import Quote
from runtime.reactions import Heard
from services.carts import rules
from services.carts.cart import MINE, Cart, NamedCart
from services.carts.heard import BoughtFacts, PriceFacts, ProductFacts, RemovedFacts, StockFacts
from services.carts.store import CartStore

AskQuote = Callable[[str], Awaitable[Quote]]


class CartService:
    """Guests' and customers' carts: no acknowledged change is lost, no purchase is taken out twice."""

    def __init__(self, store: CartStore, ask_quote: AskQuote) -> None:
        self._store = store
        self._ask_quote = ask_quote

    async def create(self, caller: str | None) -> Cart:
        """A new empty cart, a guest's or the caller's; not safe to repeat, each call makes one."""
        return await self._store.create(caller)

    async def get(self, named: NamedCart) -> Cart:
        """The cart as its buyer sees it from now on, at the prices that were heard last; safe to repeat.

        Its idle life starts anew; `mine` is created on first use.
        """
        return await self._store.read(named)

    async def set_quantity(self, named: NamedCart, sku: str, quantity: int) -> Cart:
        """Make the line hold so many units, none at zero; safe to repeat.

        Only a sku that is not in the cart yet needs products to answer; a line keeps the price it came in at.
        """
        cart = await self._store.set_quantity(named, sku, quantity)
        if cart is not None:
            return cart
        quote = await self._ask_quote(sku)
        rules.checked_price(sku, quote.price)
        cart = await self._store.set_quantity(named, sku, quantity, quote)
        assert cart is not None
        return cart

    async def remove(self, named: NamedCart, sku: str) -> Cart:
        """Take the line out, if it is there; safe to repeat."""
        return await self.set_quantity(named, sku, 0)

    async def merge(self, user: str, other: str) -> Cart:
        """Add another cart to the user's own, after which only the own one is left; safe to repeat."""
        mine = NamedCart(MINE, user)
        if other == MINE:
            return await self._store.read(mine)
        return await self._store.merge(mine, NamedCart(other, user))

    async def snapshot(self, named: NamedCart) -> CartSnapshot:
        """The cart as a checkout takes it, at the prices that its buyer has seen; safe to repeat."""
        return (await self._store.snapshot(named)).snapshot()

    async def reprice(self, named: NamedCart, repricing: Repricing) -> CartSnapshot:
        """Take over fresh prices and mark the lines that they change; safe to repeat."""
        for sku, price in repricing.prices.items():
            rules.checked_price(sku, price)
        return (await self._store.reprice(named, repricing)).snapshot()

    async def settle_bought(self, heard: Heard[BoughtFacts]) -> None:
        """Settle the cart of an order that was confirmed; safe to repeat."""
        await self.settle(BoughtCart(**heard.facts.model_dump()))

    async def settle(self, bought: BoughtCart) -> None:
        """Take out what the order bought, once per order; safe to repeat.

        A cart that was merged meanwhile is followed, one that has expired has nothing left to settle.
        """
        await self._store.settle(bought)

    async def follow_stock(self, heard: Heard[StockFacts]) -> None:
        """Know how many can be had, for those who look at a cart; safe to repeat and in any order."""
        await self._store.follow_stock(heard.facts.sku, heard.facts.available, heard.sequence)

    async def follow_product(self, heard: Heard[ProductFacts]) -> None:
        """Know what the product's skus cost, for those who look; safe to repeat and in any order."""
        prices = {variant.sku: variant.price for variant in heard.facts.variants}
        await self._store.follow_catalog(heard.facts.product_id, heard.sequence, heard.time, prices=prices)

    async def follow_price(self, heard: Heard[PriceFacts]) -> None:
        """Know what the sku costs, as in follow_product."""
        prices = {heard.facts.sku: heard.facts.new_price}
        await self._store.follow_catalog(heard.facts.product_id, heard.sequence, heard.time, prices=prices)

    async def follow_removal(self, heard: Heard[RemovedFacts]) -> None:
        """Know that the skus are sold no more, as in follow_product."""
        facts = heard.facts
        await self._store.follow_catalog(facts.product_id, heard.sequence, heard.time, removed=facts.skus)

    async def sweep_abandoned(self, idle: timedelta, now: datetime) -> int:
        """Tell of every customer's cart that was left alone for so long, once until its next change.

        Safe to repeat, also by several processes at once; answers how many carts it told of.
        """
        swept = 0
        while told := await self._store.tell_abandoned(now - idle):
            swept += told
        return swept

    async def ready(self) -> None:
        await self._store.ping()
