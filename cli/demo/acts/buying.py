"""A customer buys, has a card declined, and buys with another card."""

from api.carts.views import CartView
from api.products.views import ProductView, VariantView
from cli.demo.checkouts import WatchedCheckout
from cli.demo.shop import contents_of
from cli.demo.stage import MINE, Stage
from contracts.carts import CART_SETTLED
from contracts.checkout import StepName
from contracts.fulfilment import SHIPMENT_OPENED
from contracts.orders import ORDER_CONFIRMED, OrderState

SEARCH = "coffee"
BASKET = (2, 1)
PURCHASES = 3
# Stock is looked at every few milliseconds; should all looks have missed the hold, the card is tried again.
DECLINES = 3


async def visit(stage: Stage) -> None:
    """A guest fills a cart, registers, signs in, and finds it in their own cart."""
    stage.title("A customer")
    check = stage.findings.check
    account = await stage.shop.register(stage.who)
    check(account.email == stage.who.email, f"registered {account.email}", account.email)
    await _search(stage)
    guest = await stage.shop.new_cart()
    filled = await stage.fill(guest.id)
    stage.findings.need(_units(filled) == stage.wanted, f"a guest's cart holds {contents_of(filled)}", filled)
    await stage.shop.sign_in(stage.who)
    mine = await stage.shop.merge(guest.id)
    stage.findings.need(_units(mine) == stage.wanted, f"signed in: merged into their own, {mine.total}", mine)
    gone = await stage.shop.cart(guest.id)
    check(gone.status == 404, "the guest's cart is gone", gone)


async def buy(stage: Stage) -> WatchedCheckout:
    """A good card: three steps, then everything that must be true is looked up."""
    stage.title("Checkout")
    check = stage.findings.check
    cart = await stage.my_cart()
    before = await stage.available()
    seen = await stage.place("tok_ok")
    stage.check_confirmed(seen)
    orders = [order for order in await stage.shop.orders() if order.id == seen.order_id]
    check(
        [(order.state, order.total) for order in orders] == [(OrderState.CONFIRMED, cart.total)],
        f"GET /v1/orders shows it confirmed, {cart.total}",
        [(order.state.value, str(order.total)) for order in orders],
    )
    again = await stage.shop.place(seen.order, seen.key)
    check(
        again == seen.reply,
        f"the same Idempotency-Key again: {again.status} and the same {len(again.body)} bytes",
        again,
    )
    after = await stage.available()
    expected = {sku: before[sku] - quantity for sku, quantity in stage.wanted.items()}
    changes = ", ".join(f"{sku} {before[sku]} → {after[sku]}" for sku in before)
    check(after == expected, f"the stock went down by what was bought: {changes}", changes)
    await stage.check_charged_once(seen, cart.total)
    return seen


async def be_declined(stage: Stage) -> int:
    """A card that is declined after the stock was reserved: the reservation comes back.

    Answers how often it was tried.
    """
    stage.title("A declined card")
    check = stage.findings.check
    cart = await stage.fill(MINE)
    before = await stage.available()
    held = before[stage.watched] - stage.wanted[stage.watched]
    there_and_back = [before[stage.watched], held, before[stage.watched]]
    tried = 0
    while True:
        tried += 1
        seen = await stage.place("tok_declined")
        if seen.stock == there_and_back or tried == DECLINES:
            break
    stage.findings.need(
        (seen.reply.status, seen.reply.code) == (402, "payments.declined"),
        f"402 payments.declined after {seen.answered_ms} ms",
        seen.reply,
    )
    fact = f"the reservation was seen coming back: {_arrows(there_and_back)}"
    check(seen.stock == there_and_back, fact, _arrows(seen.stock))
    for undo in (StepName.RELEASE_STOCK, StepName.VOID_PAYMENT):
        step = seen.step(undo)
        check(step is not None and not step.refusal, f"{undo} has completed", step)
    check(await stage.available() == before, "all stock is as before", await stage.available())
    left = await stage.my_cart()
    check(left.items == cart.items, f"the cart still holds all of it, {left.total}", contents_of(left))
    charged = await stage.provider.held_for(seen.order_id)
    check(not charged, "the provider's own books: nothing held for it", charged)
    return tried


async def buy_after_all(stage: Stage) -> WatchedCheckout:
    """The same cart with another card, whose provider fails once: the step has a second attempt."""
    stage.title("The same cart, another card; the payment provider fails once")
    cart = await stage.my_cart()
    seen = await stage.place("tok_error_once")
    stage.check_confirmed(seen)
    step = seen.step(StepName.AUTHORIZE_PAYMENT)
    attempts = step.attempts if step is not None else 0
    stage.findings.check(attempts == 2, f"{StepName.AUTHORIZE_PAYMENT} took 2 attempts", attempts)
    await stage.check_charged_once(seen, cart.total)
    # The next act fills the cart again, and a later one cancels this parcel.
    async for _ in stage.events.about(
        seen.order_id, since=ORDER_CONFIRMED, until=(CART_SETTLED, SHIPMENT_OPENED)
    ):
        pass
    return seen


async def _search(stage: Stage) -> None:
    """Choose the first hits of which there is enough for all purchases."""
    hits = await stage.shop.search(SEARCH)
    variants = [variant for hit in hits if (variant := await _first_in_stock(stage, hit)) is not None]
    stage.findings.need(
        len(variants) >= len(BASKET),
        f'found {len(hits)} products for "{SEARCH}"',
        f"{len(variants)} in stock",
    )
    stage.wanted = {variant.sku: quantity for variant, quantity in zip(variants, BASKET, strict=False)}


async def _first_in_stock(stage: Stage, product: ProductView) -> VariantView | None:
    for variant in product.variants:
        if await stage.shop.available(variant.sku) >= max(BASKET) * PURCHASES:
            return variant
    return None


def _units(cart: CartView) -> dict[str, int]:
    return {line.sku: line.quantity for line in cart.items}


def _arrows(counts: list[int]) -> str:
    return " → ".join(map(str, counts))
