"""Taking an order in: the key, the cart as it stands, the prices agreed, then one transaction for it all."""

import asyncio
import time
from dataclasses import dataclass
from uuid import uuid4

from contracts.carts import BoughtCart, CartSnapshot, Repricing
from contracts.errors import DomainError, Unavailable
from contracts.orders import ORDER_PLACED, OrderState, PaymentState
from contracts.products import Quote
from runtime.clock import Clock, utc_now
from runtime.logs import get_logger
from runtime.trace import current_traceparent
from services.orders import rules
from services.orders.errors import CartBought, CartChanged, CartInUse
from services.orders.order import Buyer, KeyRecord, Order, OrderLine, PlaceOrder
from services.orders.peers import CartsPeer, ProductsPeer
from services.orders.store import OrdersStore

log = get_logger(__name__)

# A cart hears of its purchase within some ten milliseconds; for longer no buyer should wait.
SETTLING_SECONDS = 2.0
LOOK_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Taken:
    """What a request stands for; the order comes along where this very call made it."""

    record: KeyRecord
    fresh: Order | None = None


class Intake:
    """Turns a buyer's request into one pending order, however often and in how many copies it is sent."""

    def __init__(
        self, store: OrdersStore, carts: CartsPeer, products: ProductsPeer, clock: Clock = utc_now
    ) -> None:
        self._store = store
        self._carts = carts
        self._products = products
        self._clock = clock

    async def place(self, buyer: Buyer, key: str, request: PlaceOrder) -> Taken:
        """Take the order in, once per key; a key that was used answers with its order. Safe to repeat.

        A refusal stands only if no twin of this request got further meanwhile: the twin may have emptied
        the very cart that this one finds empty.
        """
        known = await self._recall(buyer, key, request)
        if known is not None:
            return Taken(known)
        try:
            return await self._take_in_settled(buyer, key, request)
        except DomainError:
            known = await self._recall(buyer, key, request)
            if known is None:
                raise
            return Taken(known)

    async def settle_cart(self, order: Order) -> None:
        """Let the buyer who is told of the purchase find the cart without it. Safe to repeat.

        That it happens is the business of `order.confirmed`; here it is only hurried up.
        """
        bought = BoughtCart(
            order_id=order.id, cart_ref=order.cart_ref, generation=order.generation, lines=order.stock_lines
        )
        try:
            await self._carts.settle(bought)
        except DomainError as error:
            log.warning("the cart will hear of its purchase", order_id=order.id, reason=error.detail)

    async def _recall(self, buyer: Buyer, key: str, request: PlaceOrder) -> KeyRecord | None:
        async with self._store.begin() as tx:
            record = await tx.key(buyer.principal, key)
        if record is not None:
            rules.check_fingerprint(record, request.fingerprint)
        return record

    async def _take_in_settled(self, buyer: Buyer, key: str, request: PlaceOrder) -> Taken:
        """Take the order in; a cart that was bought a moment ago is given the time to hear of it."""
        heard_by = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                return await self._take_in(buyer, key, request)
            except CartBought:
                if time.monotonic() > heard_by:
                    raise
                await asyncio.sleep(LOOK_AGAIN_SECONDS)

    async def _take_in(self, buyer: Buyer, key: str, request: PlaceOrder) -> Taken:
        cart = await self._carts.snapshot(request.cart_id, buyer.identity)
        lines = await self._agreed_lines(buyer, cart, request)
        order = self._new_order(buyer, cart, lines, request)
        record = KeyRecord(
            principal=buyer.principal,
            key=key,
            fingerprint=request.fingerprint,
            order_id=order.id,
        )
        now = order.created_at
        async with self._store.begin() as tx:
            if not await tx.add(order, now):
                if await tx.bought(cart.cart_ref, cart.generation):
                    raise CartBought("this cart was bought a moment ago, try again")
                raise CartInUse("this cart is being bought already, under another Idempotency-Key")
            if not await tx.claim_key(record, now):
                raise CartInUse("this cart is being bought already, under another Idempotency-Key")
            await tx.emit([order.event(ORDER_PLACED, now)])
        log.info("order placed", order_id=order.id, total=str(order.total), lines=len(lines))
        return Taken(record, order)

    async def _agreed_lines(
        self, buyer: Buyer, cart: CartSnapshot, request: PlaceOrder
    ) -> tuple[OrderLine, ...]:
        """The lines at prices that the buyer has seen; the cart is told of others before the refusal."""
        seen = rules.lines_as_seen(cart)
        quotes = await self._quotes(cart)
        if quotes is None:
            return rules.agreed_lines(seen, seen, request.expected_total, cart.currency)
        try:
            quoted = rules.lines_as_quoted(cart, quotes)
            return rules.agreed_lines(seen, quoted, request.expected_total, cart.currency)
        except CartChanged:
            await self._carts.reprice(request.cart_id, _repricing(cart, quotes), buyer.identity)
            raise

    async def _quotes(self, cart: CartSnapshot) -> tuple[Quote, ...] | None:
        """Today's prices, or None while products is away: then the prices that the buyer saw hold.

        What is priced in another currency by now is not sold to this cart any more.
        """
        try:
            quotes = await self._products.quotes(tuple(line.sku for line in cart.lines))
        except Unavailable as error:
            log.warning("no fresh quotes: the cart's own prices are used", reason=error.detail)
            return None
        return tuple(quote for quote in quotes if quote.price.currency == cart.currency)

    def _new_order(
        self, buyer: Buyer, cart: CartSnapshot, lines: tuple[OrderLine, ...], request: PlaceOrder
    ) -> Order:
        return Order(
            id=uuid4().hex,
            customer_id=buyer.identity.subject if buyer.identity else None,
            cart_ref=cart.cart_ref,
            generation=cart.generation,
            email=request.email,
            shipping_address=request.shipping_address,
            lines=lines,
            total=rules.sum_of(lines, cart.currency),
            payment_token=request.payment_token,
            state=OrderState.PENDING,
            refusal=None,
            steps=(),
            operator_note=None,
            payment_state=PaymentState.PENDING,
            fulfilment_state="none",
            sequence=1,
            traceparent=current_traceparent(),
            created_at=self._clock(),
            ended_at=None,
        )


def _repricing(cart: CartSnapshot, quotes: tuple[Quote, ...]) -> Repricing:
    prices = {quote.sku: quote.price for quote in quotes}
    return Repricing(prices=prices, gone=tuple(line.sku for line in cart.lines if line.sku not in prices))
