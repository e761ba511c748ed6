"""Carts' use cases: the only way in."""

from collections.abc import Awaitable, Callable

from contracts.carts import CartSnapshot, Repricing, SettleCart
from contracts.products import Quote
from services.carts import rules
from services.carts.cart import MINE, Cart, NamedCart
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
        """The cart, whose idle life starts anew; `mine` is created on first use. Safe to repeat."""
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
        """The cart as a checkout takes it; safe to repeat."""
        return (await self._store.read(named)).snapshot()

    async def reprice(self, named: NamedCart, repricing: Repricing) -> CartSnapshot:
        """Take over fresh prices and mark the lines that they change; safe to repeat."""
        for sku, price in repricing.prices.items():
            rules.checked_price(sku, price)
        return (await self._store.reprice(named, repricing)).snapshot()

    async def settle(self, command: SettleCart) -> None:
        """Take out what the order bought, once per order; safe to repeat.

        A cart that was merged meanwhile is followed, one that has expired has nothing left to settle.
        """
        await self._store.settle(command)

    async def ready(self) -> None:
        await self._store.ping()
